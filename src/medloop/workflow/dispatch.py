"""A folder as a destination; as every delivery, this one may be repeated without harm."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from medloop.core.study import Study
from medloop.workflow.folders import fresh_folder
from medloop.workflow.patches import PRIVATE
from medloop.workflow.routing import folder_name


@dataclass(frozen=True, slots=True)
class FolderDestination:
    """Copies to ``root/<study UID>/<result folder>``; a second delivery replaces the first.

    What only the reading page needs (`workflow.patches.PRIVATE`) stays at home.
    """

    root: Path

    def send(self, study: Study, products: Path) -> None:
        """Copy the files of a result folder, all or none.

        Raises
        ------
        ServiceError
            If they cannot be read or written now.
        """
        with fresh_folder(self.root / folder_name(study.uid) / products.name) as folder:
            for product in sorted(products.iterdir()):
                if product.name in PRIVATE:
                    continue
                shutil.copyfile(product, folder / product.name)
