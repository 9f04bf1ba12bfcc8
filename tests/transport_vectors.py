"""Published vectors of UR, ERC-4527 and BBQr.

UR: BlockchainCommons/bc-ur test/test.cpp (BSD-2-Clause-Patent), with the final word list, as also
in its Rust and Swift editions; papers BCR-2020-006 (psbt) and BCR-2020-012 (bytewords).
ERC-4527: KeystoneHQ/ur-registry, tests of EthSignRequest and ETHSignature (MIT).
BBQr: coinkite/BBQr BBQr.md (public domain); selfcustody/krux tests/test_bbqr.py (MIT), whose codes
were made by Nunchuk and Sparrow.
"""

LONG_DATA = bytes.fromhex(
    "f5d714c6f1eb453bd1cda512969e7487e5d4139f1125eff0fd0b6dbf25f22678df299cbdf2fe93cc42a3d8afbf"
    "48a936203c90e6d289b8c52171580e9d1fb12e0173cd45e19641eb3a9041f0854571f73f35f2a5a0901a0d4fed"
    "85475245fea58a295518"
)

LONG_LETTERS = (
    "yktsbbswwnwmfefrttsnonbgmtnnjyltvwtybwnebydawswtzcbdjnrsdawzdsksurdtnsrywzzemusffwottppers"
    "fdptencxfnmhvatdldroskcljshdbantctpadmadjksnfevymtfpwmftmhfpwtlpfejsylfhecwzonnbmhcybtgwwe"
    "lpflgmfezeonledtgocsfzhycypf"
)

BYTEWORDS = (
    (bytes([0, 1, 2, 128, 255]), "aeadaolazmjendeoti"),
    (
        bytes.fromhex("d99d6ca20150c7098580125e2ab0981253468b2dbc5202c11947da"),
        "tantjzoeadgdstaslplabghydrpfmkbggufgludprfgmaosecffltnsoaawkbd",
    ),
    (LONG_DATA, LONG_LETTERS),
)

RNG_WOLF = """
42 81 85 8 82 84 76 73 70 88 2 74 40 48 77 54 88 7 5 88 37 25 82 13 69 59 30 39 11 82 19 99 45 87 30
15 32 22 89 44 92 77 29 78 4 92 44 68 92 69 1 42 89 50 37 84 63 34 32 3 17 62 40 98 82 89 24 43 85
39 15 3 99 29 20 42 27 10 85 66 50 35 69 70 70 74 30 13 72 54 11 5 70 55 91 52 10 43 43 52
"""

RNG_WOLF_CRC = """
88 44 94 74 0 99 7 77 68 35 47 78 19 21 50 15 42 36 91 11 85 39 64 22 57 11 25 12 1 91 17 75 29 47
88 11 68 58 27 65 21 54 47 54 73 83 23 58 75 27 26 15 60 36 30 21 55 57 77 76 75 47 53 76 9 91 14 69
3 95 11 73 20 99 68 61 3 98 36 98 56 65 14 80 74 57 63 68 51 56 24 39 53 80 57 51 81 3 1 30
"""

RNG_WOLF_1_TO_10 = """
6 5 8 4 10 5 7 10 4 9 10 9 7 7 1 1 2 9 9 2 6 4 5 7 8 5 4 2 3 8 7 4 5 1 10 9 3 10 2 6 8 5 7 9 3 1 5 2
7 1 4 4 4 4 9 4 5 5 6 9 5 1 2 8 3 3 2 8 4 3 2 1 10 8 9 3 10 8 5 5 6 7 10 5 8 9 4 6 4 2 10 2 1 7 9 6
7 4 2 5
"""

SAMPLED_1_2_4_8 = (
    "33333330233331221332331121131312021033313333132322"
    "33332330333312332221221231303233333333231332022311"
)
"""The first hundred of the published five hundred."""

SHUFFLED = """
6 4 9 3 10 5 7 8 1 2
10 8 6 5 1 2 3 9 7 4
6 4 5 8 9 3 2 1 7 10
7 3 5 1 10 9 4 8 2 6
8 5 7 10 2 1 4 3 9 6
4 3 5 6 10 2 7 8 9 1
5 1 3 9 4 6 2 10 7 8
2 1 10 8 9 4 7 6 3 5
6 7 10 4 8 9 2 3 1 5
10 2 1 7 9 5 6 3 4 8
"""

DEGREES_OF_11 = """
11 3 6 5 2 1 2 11 1 3 9 10 10 4 2 1 1 2 1 1 5 2 4 10 3 2 1 1 3 11 2 6 2 9 9 2 6 7 2 5 2 4 3 1 6 11 2
11 3 1 6 3 1 4 5 3 6 1 1 3 1 2 2 1 4 5 1 1 9 1 1 6 4 1 5 1 2 2 3 1 1 5 2 6 1 7 11 1 8 1 5 1 1 2 2 6
4 10 1 2 5 5 5 1 1 4 1 1 1 3 5 5 5 1 4 3 3 5 1 11 3 2 8 1 2 1 1 4 5 2 1 1 1 5 6 11 10 7 4 7 1 5 3 1
1 9 1 2 5 5 2 2 3 10 1 3 2 3 3 1 1 2 1 3 2 2 1 3 8 4 1 11 6 3 1 1 1 1 1 3 1 2 1 10 1 1 8 2 7 1 2 1
9 2 10 2 1 3 4 10
"""

FRAGMENTS_OF_11 = (
    *([index] for index in range(11)),
    [9],
    [2, 5, 6, 8, 9, 10],
    [8],
    [1, 5],
    [1],
    [0, 2, 4, 5, 8, 10],
    [5],
    [2],
    [2],
    [0, 1, 3, 4, 5, 7, 9, 10],
    [0, 1, 2, 3, 5, 6, 8, 9, 10],
    [0, 2, 4, 5, 7, 8, 9, 10],
    [3, 5],
    [4],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    [0, 1, 3, 4, 5, 6, 7, 9, 10],
    [6],
    [5, 6],
    [7],
)

PARTS_CBOR = """
8501091901001a0167aa07581d916ec65cf77cadf55cd7f9cda1a1030026ddd42e905b77adc36e4f2d3c
8502091901001a0167aa07581dcba44f7f04f2de44f42d84c374a0e149136f25b01852545961d55f7f7a
8503091901001a0167aa07581d8cde6d0e2ec43f3b2dcb644a2209e8c9e34af5c4747984a5e873c9cf5f
8504091901001a0167aa07581d965e25ee29039fdf8ca74f1c769fc07eb7ebaec46e0695aea6cbd60b3e
8505091901001a0167aa07581dc4bbff1b9ffe8a9e7240129377b9d3711ed38d412fbb4442256f1e6f59
8506091901001a0167aa07581d5e0fc57fed451fb0a0101fb76b1fb1e1b88cfdfdaa946294a47de8fff1
8507091901001a0167aa07581d73f021c0e6f65b05c0a494e50791270a0050a73ae69b6725505a2ec8a5
8508091901001a0167aa07581d791457c9876dd34aadd192a53aa0dc66b556c0c215c7ceb8248b717c22
8509091901001a0167aa07581d951e65305b56a3706e3e86eb01c803bbf915d80edcd64d4d0000000000
850a091901001a0167aa07581d330f0f33a05eead4f331df229871bee733b50de71afd2e5a79f196de09
850b091901001a0167aa07581d3b205ce5e52d8c24a52cffa34c564fa1af3fdffcd349dc4258ee4ee828
850c091901001a0167aa07581ddd7bf725ea6c16d531b5f03254783803048ca08b87148daacd1cd7a006
850d091901001a0167aa07581d760be7ad1c6187902bbc04f539b9ee5eb8ea6833222edea36031306c01
850e091901001a0167aa07581d5bf4031217d2c3254b088fa7553778b5003632f46e21db129416f65b55
850f091901001a0167aa07581d73f021c0e6f65b05c0a494e50791270a0050a73ae69b6725505a2ec8a5
8510091901001a0167aa07581db8546ebfe2048541348910267331c643133f828afec9337c318f71b7df
8511091901001a0167aa07581d23dedeea74e3a0fb052befabefa13e2f80e4315c9dceed4c8630612e64
8512091901001a0167aa07581dd01a8daee769ce34b6b35d3ca0005302724abddae405bdb419c0a6b208
8513091901001a0167aa07581d3171c5dc365766eff25ae47c6f10e7de48cfb8474e050e5fe997a6dc24
8514091901001a0167aa07581de055c2433562184fa71b4be94f262e200f01c6f74c284b0dc6fae6673f
"""
"""Parts of the 256 bytes that the generator makes from "Wolf", not wrapped, in fragments to 30."""

SINGLE_UR = (
    "ur:bytes/hdeymejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtgwdpfnsboxgwlbaawzuefywkdplrsrjynb"
    "vygabwjldapfcsdwkbrkch"
)

UR_PARTS = """
1-9/lpadascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtdkgslpgh
2-9/lpaoascfadaxcywenbpljkhdcagwdpfnsboxgwlbaawzuefywkdplrsrjynbvygabwjldapfcsgmghhkhstlrdcxaefz
3-9/lpaxascfadaxcywenbpljkhdcahelbknlkuejnbadmssfhfrdpsbiegecpasvssovlgeykssjykklronvsjksopdzmol
4-9/lpaaascfadaxcywenbpljkhdcasotkhemthydawydtaxneurlkosgwcekonertkbrlwmplssjtammdplolsbrdzcrtas
5-9/lpahascfadaxcywenbpljkhdcatbbdfmssrkzmcwnezelennjpfzbgmuktrhtejscktelgfpdlrkfyfwdajldejokbwf
6-9/lpamascfadaxcywenbpljkhdcackjlhkhybssklbwefectpfnbbectrljectpavyrolkzczcpkmwidmwoxkilghdsowp
7-9/lpatascfadaxcywenbpljkhdcavszmwnjkwtclrtvaynhpahrtoxmwvwatmedibkaegdosftvandiodagdhthtrlnnhy
8-9/lpayascfadaxcywenbpljkhdcadmsponkkbbhgsoltjntegepmttmoonftnbuoiyrehfrtsabzsttorodklubbuyaetk
9-9/lpasascfadaxcywenbpljkhdcajskecpmdckihdyhphfotjojtfmlnwmadspaxrkytbztpbauotbgtgtaeaevtgavtny
10-9/lpbkascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtwdkiplzs
11-9/lpbdascfadaxcywenbpljkhdcahelbknlkuejnbadmssfhfrdpsbiegecpasvssovlgeykssjykklronvsjkvetiiapk
12-9/lpbnascfadaxcywenbpljkhdcarllaluzmdmgstospeyiefmwejlwtpedamktksrvlcygmzemovovllarodtmtbnptrs
13-9/lpbtascfadaxcywenbpljkhdcamtkgtpknghchchyketwsvwgwfdhpgmgtylctotzopdrpayoschcmhplffziachrfgd
14-9/lpbaascfadaxcywenbpljkhdcapazewnvonnvdnsbyleynwtnsjkjndeoldydkbkdslgjkbbkortbelomueekgvstegt
15-9/lpbsascfadaxcywenbpljkhdcaynmhpddpzmversbdqdfyrehnqzlugmjzmnmtwmrouohtstgsbsahpawkditkckynwt
16-9/lpbeascfadaxcywenbpljkhdcawygekobamwtlihsnpalnsghenskkiynthdzotsimtojetprsttmukirlrsbtamjtpd
17-9/lpbyascfadaxcywenbpljkhdcamklgftaxykpewyrtqzhydntpnytyisincxmhtbceaykolduortotiaiaiafhiaoyce
18-9/lpbgascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtntwkbkwy
19-9/lpbwascfadaxcywenbpljkhdcadekicpaajootjzpsdrbalpeywllbdsnbinaerkurspbncxgslgftvtsrjtksplcpeo
20-9/lpbbascfadaxcywenbpljkhdcayapmrleeleaxpasfrtrdkncffwjyjzgyetdmlewtkpktgllepfrltataztksmhkbot
"""
"""Parts of `ur:bytes` of the same 256 bytes, wrapped in CBOR, in fragments to 30."""

PSBT = bytes.fromhex(
    "70736274ff01009a020000000258e87a21b56daf0c23be8e7070456c336f7cbaa5c8757924f545887bb2abdd7500000000"
    "00ffffffff838d0427d0ec650a68aa46bb0b098aea4422c071b2ca78352a077959d07cea1d0100000000ffffffff0270aa"
    "f00800000000160014d85c2b71d0060b09c9886aeb815e50991dda124d00e1f5050000000016001400aea9a2e5f0f876a5"
    "88df5546e8742d1d87008f000000000000000000"
)

PSBT_UR = (
    "hdosjojkidjyzmadaenyaoaeaeaeaohdvsknclrejnpebncnrnmnjojofejzeojlkerdonspkpkkdkykfelokgprpyutkpaeae"
    "aeaeaezmzmzmzmlslgaaditiwpihbkispkfgrkbdaslewdfycprtjsprsgksecdratkkhktikewdcaadaeaeaeaezmzmzmzmao"
    "jopkwtayaeaeaeaecmaebbtphhdnjstiambdassoloimwmlyhygdnlcatnbggtaevyykahaeaeaeaecmaebbaeplptoevwwtya"
    "koonlourgofgvsjydpcaltaemyaeaeaeaeaeaeaeaeaebkgdcarh"
)

REQUEST_ID = bytes.fromhex("9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d")

ETH_DATA = bytes.fromhex(
    "f849808609184e72a00082271094000000000000000000000000000000000000000080a47f7465737432000000000000"
    "000000000000000000000000000000000000000000600057808080"
)

ETH_REQUEST_UR = (
    "ur:eth-sign-request/oladtpdagdndcawmgtfrkigrpmndutdnbtkgfssbjnaohdgryagalalnascsgljpnbaelf"
    "dibemwaeaeaeaeaeaeaeaeaeaeaeaeaeaeaeaeaeaeaeaelaoxlbjyihjkjyeyaeaeaeaeaeaeaeaeaeaeaeaeaeae"
    "aeaeaeaeaeaeaeaeaeaeaeaeaehnaehglalalaaxadaaadahtaaddyoeadlecsdwykadykadykaewkadwkaocybgee"
    "hfksatisjnihjyhsjnhsjkjetlnndant"
)

ETH_SIGNATURE = bytes.fromhex(
    "d4f0a7bcd95bba1fbb1051885054730e3f47064288575aacc102fbbf6a9a14daa066991e360d3e3406c20c00a40973ef"
    "f37c7d641e5b351ec4a99bfe86f335f713"
)

ETH_SIGNATURE_UR = (
    "ur:eth-signature/oeadtpdagdndcawmgtfrkigrpmndutdnbtkgfssbjnaohdfptywtosrftahprdctrkbegylogdghjkbafh"
    "flamfwlohghtpsseaozorsimnybbtnnbiynlckenbtfmeeamsabnaeoxasjkwswfkekiieckhpecckssptndzelnwfecylbwdl"
    "sgvazt"
)

SPARROW_FRAME = (
    "B$ZU0100AXA5WCUCGAAABUEP5GSXVGOTJU3IUQC5AZJJBF6URQPJZONGGEX2SGD6PXT4ZXKHVYPSMFQ4DGRAIBCJAA"
    "S5BZDT5QTM4WCJPDQPP4YAOXWMRXCDLFVZW7OM3UDA55WEVNFJTYN5CDFF2SA2Q4OUVEXKKKR3ONJN4HH3WBRMTMR7"
    "VDNIJZTF6JJJUWDGH5JIVLW7IVNUZZWZYTX2CFBKZTQMQO63NAYHWDO2ZGQ4NFCIZZAP"
)

SPARROW_CONTENT = (
    b"wpkh([65fb43fe/84h/1h/0h]tpubDDe8bRQqws125ChaJ4ZoB6qVbFn1sBubiim6SYcfmFz8XVSp4WWiMj4gAuzSx"
    b"JPRDZwT9rT928wQmWX993CAq4TjBXdcoCUtuG2E115mLD5/<0;1>/*)#na408ft8"
)

NUNCHUK_FRAME_1 = (
    "B$ZU0200PXHDTEVDGAAEBUM4KNIDLAKDG4QMAODDO6YRKZTJGCMRBCGFFVCGDVAYJY7R3TFEPWAP72754HW7OTEXWV"
    "WXRPCQYJDWYQR5PNZBCJHNSUT6Y2Y5LZB4PRPUNNAPXFIXPGFHTCLT5BBOA6XFMOYUQ3Y4M624X4AN26AU4P6JDFOE"
    "4Z7BOT7DRHOFCOT4ROAGCL7HTLJTVMWSOVGIGFABYYBP222XI5OY6HOZQ4V7RYYMYXU7GBHPL4IF7PHAMSBUYNRO5N"
    "G5Q47PA5QKRXY7HYPZXFJWU7VT24AHODTU6I52SIRXK6C3XMCVLU23RIPA"
)

NUNCHUK_FRAME_2 = (
    "B$ZU0201KJ2ZNNNI7BKXKANV63IYV5J7SWWVQ4XPRL3TZOC5JJSGYVISL4CGW5HMI77WZEWGS3WUN52KWTDE6BMZQV"
    "DY67SRDSMO5FGOPOXFSKA77QUV6KQBOQKWVAUEUUYNXLDY3YT6G2BQLGAWHE3WPJSHQWL7KUAVKQRSCLK77KW4MTXS"
    "OPWCRBSK4SXHYXB344BTNZGHFIQQJBLLQE353TMVMRTB6QDMKFQMWX5E4IJ24QR7IEYL5GDIORG2DZDDBNBYQBF4Y2"
    "DJJZ26NEMZNW2KSYZQEU2E7PBG4W4L6"
)

NUNCHUK_CONTENT = (
    b"# Exported from Nunchuk\n"
    b"Name: multisig\n"
    b"Policy: 2 of 3\n"
    b"Format: P2WSH\n"
    b"\nDerivation: m/48'/1'/0'/2'\n"
    b"65fb43fe: tpubDFM6mziafLfJPA9StFuzvdC5htjaMTsVaPSAjsahgE4c2CMWpg9yKaK4JyoaBjVYJKUFX9Kdyb4f"
    b"gFaFUQmZNGU71Q1wZgZiGM1Go7p59NW\n"
    b"\nDerivation: m/48'/1'/0'/2'\n"
    b"84b90e2b: tpubDE6D5hG2QULH8XcBwZRP81DjFEYhkdRdE5EdAJXctPk6cCWJozhr6FaSyoopyU9DcUiKnUrZ14gZ"
    b"cdLRuSaTwDPpynBzdfmt4FEmenYTfrt\n"
    b"\nDerivation: m/48'/1'/0'/2'\n"
    b"473c5c27: tpubDEUCuxkfzMNmTG7oprJfK1HBHu3FNM43DMymAjyuwXNMNx4WwLib7xSacz5zMKRDcABJc2oezBLi"
    b"efLarPuoXCnbTJmpuwodbP4nRoURJdS\n"
    b"\n"
)

BBQR = (
    ((SPARROW_FRAME,), SPARROW_CONTENT),
    ((NUNCHUK_FRAME_1, NUNCHUK_FRAME_2), NUNCHUK_CONTENT),
)
