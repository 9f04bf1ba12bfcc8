"""What a device refuses by itself."""

from wallet.errors import WalletError


class DeviceError(WalletError):
    """Root of the device's errors."""

    code = "device.error"


class ServiceLied(DeviceError):
    """The service's answer contradicts what this device knows or asked for."""

    code = "device.service_lied"


class SubmitUnknown(DeviceError):
    """No answer to signed bytes that were handed in: look before paying again."""

    code = "device.submit_unknown"


class Declined(DeviceError):
    """The person said no."""

    code = "device.declined"


class PasswordBad(DeviceError):
    """A payment password that cannot be read, is too short, or was typed differently twice."""

    code = "device.password"
