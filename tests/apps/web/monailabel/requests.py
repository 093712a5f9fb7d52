"""Requests as the plugins of MONAI Label 0.8.5 send them, written down from its sources."""

import gzip
import json

from medloop.files.nifti import encode_nifti

BASE = "/monailabel"
LIMIT = "----------lImIt_of_THE_fIle_eW_$"


def form(fields, files) -> tuple[bytes, dict[str, str]]:
    """A form as the client writes it: the boundary, the order, names of files as paths."""
    body = bytearray()
    for key, value in fields.items():
        head = f'--{LIMIT}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n'
        body += f"{head}{value}\r\n".encode()
    for key, (name, data) in files.items():
        body += f"--{LIMIT}\r\n".encode()
        body += f'Content-Disposition: form-data; name="{key}"; filename="{name}"\r\n'.encode()
        body += b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n"
    body += f"--{LIMIT}--\r\n\r\n".encode()
    return bytes(body), {"content-type": f"multipart/form-data; boundary={LIMIT}"}


def infer(client, model, image, **params):
    """As `MONAILabelClient.infer` asks."""
    body, headers = form({"params": json.dumps(params | {"client_id": "slicer"})}, {})
    where = f"{BASE}/infer/{model}?image={image}"
    return client.post(where, content=body, headers=headers)


def save(client, image, name, data, label_info=None, tag=""):
    """As `MONAILabelClient.save_label` asks."""
    params = {"client_id": "slicer"}
    if label_info is not None:
        params["label_info"] = label_info
    body, headers = form({"params": json.dumps(params)}, {"label": (f"/home/li/{name}", data)})
    where = f"{BASE}/datastore/label?image={image}" + (f"&tag={tag}" if tag else "")
    return client.put(where, content=body, headers=headers)


def parts_of(answer) -> dict[str, bytes]:
    """The parts of an answer that is a form, by the name of the field or the file."""
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    found = {}
    for part in answer.content.split(b"--" + boundary)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        name = head.rpartition(b'name="')[2].split(b'"')[0].decode()
        found[name] = data[:-2]
    return found


def nifti(array, grid) -> bytes:
    """Labels as 3D Slicer writes them."""
    return gzip.compress(encode_nifti(array, grid))
