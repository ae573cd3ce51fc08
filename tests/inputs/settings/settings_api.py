"""What the tests of settings share: invented credentials, and a keyring that is nobody's."""

from types import ModuleType

__all__ = ["COMPLETE", "KEY", "PASSWORD", "FakeKeyring"]

KEY = "invented-hologram-key-5f1d"
PASSWORD = "invented-onence-secret-77c2"
COMPLETE = {
    "ONENCE_CLIENT_ID": "810000",
    "ONENCE_CLIENT_SECRET": PASSWORD,
    "HOLOGRAM_API_KEY": KEY,
    "HOLOGRAM_ORG_ID": "4711",
}


class FakeKeyring(ModuleType):
    """Stands in for the optional library, so that no test looks into the keyring of whoever runs it."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.entries: dict[tuple[str, str], str] = {}
        self.asked: list[str] = []
        self.failure: str | None = None
        self.errors = ModuleType("keyring.errors")
        self.errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined] # a module
        for name in ("NoKeyringError", "KeyringLocked"):
            setattr(self.errors, name, type(name, (self.errors.KeyringError,), {}))

    def get_password(self, service: str, name: str) -> str | None:
        self.asked.append(name)
        if self.failure:
            raise getattr(self.errors, self.failure)("words of the backend")
        return self.entries.get((service, name))
