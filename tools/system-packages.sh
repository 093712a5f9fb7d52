#!/usr/bin/env bash
# Install the Debian packages that medloop needs and this machine lacks.
#   tools/system-packages.sh demo    Python's venv module, Pango and Chinese fonts (the PDF reports)
#   tools/system-packages.sh test    also what the tests check us with: dicom3tools and dcmtk (DICOM),
#                                    plastimatch (contours), poppler-utils (PDF), postgresql, Orthanc (a
#                                    PACS to talk to), Tesseract (text burned into pixels), Chromium (pages),
#                                    Node and npm (the pages' scripts, and what they load)
# Installs nothing that is there; without apt or root it names what is missing and goes on (exit 0).
set -euo pipefail

wanted=(python3-venv libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-cjk)
if [ "${1:-demo}" = test ]; then
  wanted+=(dicom3tools dcmtk plastimatch poppler-utils postgresql orthanc orthanc-dicomweb orthanc-gdcm
    tesseract-ocr tesseract-ocr-chi-sim chromium nodejs npm)
fi

has_library() { { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null || true; } | grep -F "$1" >/dev/null; }

is_present() {
  case "$1" in
    python3-venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null ;;
    libpango-1.0-0) has_library libpango-1.0.so.0 ;;
    libpangoft2-1.0-0) has_library libpangoft2-1.0.so.0 ;;
    libharfbuzz-subset0) has_library libharfbuzz-subset.so.0 ;;
    fonts-noto-cjk) ls /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc >/dev/null 2>&1 ||
      { command -v fc-list >/dev/null && [ -n "$(fc-list :lang=zh-cn family 2>/dev/null)" ]; } ;;
    dicom3tools) command -v dciodvfy >/dev/null ;;
    dcmtk) command -v dsrdump >/dev/null ;;
    plastimatch) command -v plastimatch >/dev/null ;;
    poppler-utils) command -v pdftotext >/dev/null ;;
    orthanc) command -v Orthanc >/dev/null ;;
    orthanc-dicomweb) ls /usr/share/orthanc/plugins/libOrthancDicomWeb.so* >/dev/null 2>&1 ;;
    orthanc-gdcm) ls /usr/share/orthanc/plugins/libOrthancGdcm.so* >/dev/null 2>&1 ;;
    tesseract-ocr) command -v tesseract >/dev/null ;;
    tesseract-ocr-chi-sim) tesseract --list-langs 2>/dev/null | grep -q chi_sim ;;
    chromium) command -v chromium >/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    npm) command -v npm >/dev/null ;;
    postgresql) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
  esac
}

missing=()
for package in "${wanted[@]}"; do
  is_present "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    echo "system packages missing, and no root here to install them: ${missing[*]}" >&2
    exit 0
  fi
fi
if ! command -v apt-get >/dev/null; then
  echo "system packages missing, and no apt-get here to install them: ${missing[*]}" >&2
  exit 0
fi

echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -qq update >/dev/null || true
if ! "${as_root[@]}" apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null; then
  echo "could not install ${missing[*]}; reports or DICOM checks that need them will say so" >&2
fi
