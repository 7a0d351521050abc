"""What every part of the store stands on."""

from storage.database import Database
from tailwatch.plan import KeepText


class Connected:
    """A part of the store: its database, and how much text it may keep."""

    def __init__(self, database: Database, keep_text: KeepText) -> None:
        self.database = database
        self.keep_text = keep_text
