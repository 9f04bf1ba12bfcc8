"""The published sessions of BIP-129: tokens, records, MACs and two whole ciphertexts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signed:
    """A signer of a session: its token, private key (WIF), record, and what travels."""

    token: str
    wif: str
    key: str
    label: str
    signature: str
    mac: str = ""
    wire: str = ""

    @property
    def record(self) -> str:
        return f"BSMS 1.0\n{self.token}\n{self.key}\n{self.label}\n{self.signature}"


@dataclass(frozen=True, slots=True)
class PublishedSession:
    """A session: its signers, the descriptor record, and that record's MAC for each token."""

    signers: tuple[Signed, ...]
    descriptor: str
    restrictions: str
    first_address: str
    macs: tuple[str, ...] = ()
    wire: str = ""

    @property
    def record(self) -> str:
        return f"BSMS 1.0\n{self.descriptor}\n{self.restrictions}\n{self.first_address}"


PUBLIC_KEYS = PublishedSession(
    signers=(
        Signed(
            "00",
            "L5TXU4SdD9e6QGgBjxeegJKxt4FgATLG1TCnFM8JLyEkFuyHEqNM",
            "[59865f44/48'/0'/0'/2']"
            "026d15412460ba0d881c21837bb999233896085a9ed4e5445bd637c10e579768ba",
            "Signer 1 key",
            "H6DXgqkCb353BDPkzppMFpOcdJZlpur0WRetQhIBqSn6DFzoQWBtm+ibP5wERDRNi0bxxev9B+FIvyQWq0s6im4=",
        ),
        Signed(
            "00",
            "KwT7BZDWjos4JAdfKi8NqF46Kj3rppTwN8KGhPbzmmugiZioFW3r",
            "[b7044ca6/48'/0'/0'/2']"
            "030baf0497ab406ff50cb48b4013abac8a0338758d2fd54cd934927afa57cc2062",
            "Signer 2 key",
            "H08mGNGN+NxX/snt+6eX2Q1HjjfDkOtotglshHi7xdsBdIrTVMCQbgQ5SdACNZ0B2AJcifK11nJj43SvaitSemI=",
        ),
    ),
    descriptor=(
        "wsh(sortedmulti(1,[59865f44/48'/0'/0'/2']"
        "026d15412460ba0d881c21837bb999233896085a9ed4e5445bd637c10e579768ba,"
        "[b7044ca6/48'/0'/0'/2']"
        "030baf0497ab406ff50cb48b4013abac8a0338758d2fd54cd934927afa57cc2062))#rzx9dffd"
    ),
    restrictions="No path restrictions",
    first_address="bc1quqy523xu3l8che3s8vja8n33qtg0uyugr9l5z092s3wa50p8t7rqy6zumf",
)

_OPEN_1 = (
    "[1cf0bf7e/48'/0'/0'/2']xpub6FL8FhxNNUVnG64YurPd16AfGyvFLhh7S2uSsDqR3Qfcm6o9jtcMYwh6DvmcBF9qozx"
    "NQmTCVvWtxLpKTnhVLN3Pgnu2D3pAoXYFgVyd8Yz"
)
_OPEN_2 = (
    "[4fc1dd4a/48'/0'/0'/2']xpub6EebMbEps7ZcV3FYEnddRsvrFWDrt2tiPmCeM7pPXQEmphvq9ZfJ1LWFUDjf3vxCeBu"
    "PrfyGrMazWUsYsetrnHatQZVLJH7LsgCjtMqdzgj"
)
NO_ENCRYPTION = PublishedSession(
    signers=(
        Signed(
            "00",
            "L3q1sg7iso1L3QfzB1riC9bQpqMynWyBeuLLSKwCDGkHkahB7MgU",
            _OPEN_1,
            "Signer 1 key",
            "IB7v+qi1b+Xrwm/3bF+Rjl8QbIJ/FMQ40kUsOOQo1SqUWn5QlFWbBD8BKPRetfo1L1N7DmYjVscZNsmMrqRJGWw=",
        ),
        Signed(
            "00",
            "L4JNkJfLBDyWfTLbKJ1H3w56GUMsvdfjCkzRo5RHXfJ6bdHqm6cN",
            _OPEN_2,
            "Signer 2 key",
            "HzUa4Z76PFHMl54flIIF3XKiHZ+KbWjjxCEG5G3ZqZSqTd6OgTiFFLqq9PXJXdfYm6/cnL8IVWQgjFF9DQhIqQs=",
        ),
    ),
    descriptor=f"wsh(sortedmulti(2,{_OPEN_1}/**,{_OPEN_2}/**))",
    restrictions="/0/*,/1/*",
    first_address="bc1qrgc6p3kylfztu06ysl752gwwuekhvtfh9vr7zg43jvu60mutamcsv948ej",
)

STANDARD_KEY = "7673ffd9efd70336a5442eda0b31457f7b6cdf7b42fe17f274434df55efa9839"
_STANDARD_1 = (
    "[b7868815/48'/0'/0'/2']xpub6FA5rfxJc94K1kNtxRby1hoHwi7YDyTWwx1KUR3FwskaF6HzCbZMz3zQwGnCqdiFeMT"
    "PV3YneTGS2YQPiuNYsSvtggWWMQpEJD4jXU7ZzEh"
)
_STANDARD_2 = (
    "[eedff89a/48'/0'/0'/2']xpub6EhJvMneoLWAf8cuyLBLQiKiwh89RAmqXEqYeFuaCEHdHwxSRfzLrUxKXEBap7nZSHA"
    "YP7Jfq6gZmucotNzpMQ9Sb1nTqerqW8hrtmx6Y6o"
)
STANDARD = PublishedSession(
    signers=(
        Signed(
            "a54044308ceac9b7",
            "KyKvR9kf8r7ZVtdn3kB9ifipr6UKnTNTpWJkGZbHwARDCz5iZ39E",
            _STANDARD_1,
            "Signer 1 key",
            "H8DYht5P6ko0bQqDV6MtUxpzBSK+aVHxbvMavA5byvLrOlCEGmO1WFR7k2wu42J6dxXD8vrmDQSnGq5MTMMbZ98=",
            "fbdbdb64e6a8231c342131d9f13dcd5a954b4c5021658fa5afcb3fc74dc82706",
            "fbdbdb64e6a8231c342131d9f13dcd5a954b4c5021658fa5afcb3fc74dc8270653f491cfd1431c292d922ea5"
            "a5dec3eb8ddaa6ed38ae109e7b040f0f23013e89a89b4d27476761a01197a3277850b2bc1621ae626efe65f2"
            "081eec6eb571c4f787bf1c49d061b43f70fd73cb3f37fa591d2400973ac0644c8941a83f1d4155e98f01fa2f"
            "deb9f86c2e2413154fd18566a28fb0d9d8bd6172efabcfa6dab09ee7029bf3dd43376df52c118a6d291ec168"
            "f4ec7f7df951dfc6135fd8cb4b234da62eaea6017dfe5ca418f083e02e3aba2962ba313ba17b6468c7672fb2"
            "18329a9f3fe4e4887fb87dac57c63ebff0e715a44498d18de8afc10e1cfeb46a1fc65ce871fef8a43b289305"
            "433a90c342d025aa4c19454fcfbcf911e9e2f928d5affd0536a6ddc2e816",
        ),
        Signed(
            "a54044308ceac9b7",
            "Kz1ijnkDXmc65NWTYdg47DDaQgSGJAPfhJG9Unm36oqZPpPXuNR6",
            _STANDARD_2,
            "Signer 2 key",
            "H/IHW5dMGYsrRdYEz3ux+kKnkWBtxHzfYkREpnYbco38VnMvIxCbDuf7iu6960qDhBLR/RLjlb9UPtLmCMbczDE=",
            "383d05b7351a2cef7cca2850450f5efbbc4a3f8ea35707dda87a3692f0f2ebae",
        ),
    ),
    descriptor=f"wsh(sortedmulti(2,{_STANDARD_1}/**,{_STANDARD_2}/**))",
    restrictions="/0/*,/1/*",
    first_address="bc1qhs4u273g4azq7kqqpe6vh5wfhasfmrq7nheyzsnq77humd7rwtkqagvakf",
    macs=("734ce791b466861945e1ef6f74c63faec590793de54831f0036b28d08714b71a",),
)

_EXTENDED_1 = (
    "[793cc70b/48'/0'/0'/1']xpub6ErVmcYYHmavsMgxEcTZyzN5sqth1ZyRpFNJC26ij1wYGC2SBKYrgt9yariSbn7HLRo"
    "ZUvhUhmPfsRTPrdhhGFscpPZzmch6UTdmRP1aZUj"
)
_EXTENDED_2 = (
    "[b3118e52/48'/0'/0'/1']xpub6Du5Jn6eYZE96ccmAc1ZTFPzdnzrvqfG4mpamDun2qZYKywoiQJMCbS3kWWMr6U3XW6"
    "s125RLsaPABWgv2yA749ieaMe67FxkTjMsbcxCch"
)
_EXTENDED_3 = (
    "[842bd2ed/48'/0'/0'/1']xpub6Ex81KopPkEt9hJiWHabYy8LNsSR4A7sUQoFBk9dR8XxHrr4p9HrYWN3NCf5uwfopHn"
    "QkCG7FYnZMztKbtRtbh6tzZC4xtHPbmVVxRSN7ic"
)
EXTENDED_KEYS = (
    "63dc1e57dfdc21fa11109d5088be01fb8078a383d2296925ad2b7612b7179777",
    "3dc860a53471ec03af14617fef60921cf215b45a9d684462fa65b9d804ad3ee7",
    "62b90b4c08c03a0ee872e57aae73f9acfafb6cc09d20b5c9bc0bafaef33619db",
)
EXTENDED = PublishedSession(
    signers=(
        Signed(
            "108a2360adb302774eb521daebbeda5e",
            "L1ZEgZ4zNYxyNc8UyeqwyKW1UHVMp9sxwPgSi3s9SW8mc7KsiSwJ",
            _EXTENDED_1,
            "Signer 1 key",
            "ILG47LpCtjoD9UxL87jo5QFqA90t8g9fDQp/KBojdKgPPGB1pMx2bf9hPdORNZIOdCc/2+Gs6AOs3BEK9ubIuBw=",
            "ea12776c73de4bd5ea57c2d19eb8e0be856ac0d7f5651f7b74be4563d61ba5b1",
        ),
        Signed(
            "d3fabc873b98165254fe18a71b5335b0",
            "L4SnPjcHszMg3Wi2YYxEYnzM2zFeFkFr5NcLZ18YQeyJwaSFbTud",
            _EXTENDED_2,
            "Signer 2 key",
            "IDK4d/oO0pgfrwRu4Zb8vqlPEmJb9aKT1K2CCnI3RKepVAKs3fZsBrypcCdQfUy1TG/3O5vAR3gjldxcCA1Wzg8=",
            "4a3ff970d027010e83b4fbf2845a23907a301b3df692a9265e2ca679697ac718",
        ),
        Signed(
            "78a7d5e7549453d719150de5459c9ce5",
            "L1ehZHpo2UFHc1yaBWDU4bKVycUwcU2TESm92wbfq6xK6qpZZJP6",
            _EXTENDED_3,
            "Signer 3 key",
            "IL77mML0xo/O9dJn0T5EpQLuyRPPrdpgVJbtsdAugW5iX0MQ3Ci0f8jVnXu68Xm07CYjYGKX8af72jmkQKhNud0=",
            "e82cfcccbd4bd4d3b76e28133eecd13f7362f4a8b4c4baa3e5f6ba2dfb4d69b8",
        ),
    ),
    descriptor=f"sh(wsh(multi(2,{_EXTENDED_1}/**,{_EXTENDED_2}/**,{_EXTENDED_3}/**)))",
    restrictions="/0/*,/1/*",
    first_address="3GzMtFXahiu4TpGNGFc4bHMvAcvz5vVQrT",
    macs=(
        "01bf557b6d44b3fbf07f8ec155cbdec42d85d856e174342563dd83b40ad7c025",
        "974ba77900c43c463dadaa6eaf24aaeb1b25b443cf155229b719bcbf8b343092",
        "bb3c93b67d758f244de7ee73e5e61261cea6dff5b3852df8faf265cdf1c73dae",
    ),
)

SESSIONS = (PUBLIC_KEYS, NO_ENCRYPTION, STANDARD, EXTENDED)
