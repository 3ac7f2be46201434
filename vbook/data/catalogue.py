"""The sets of the book, one card each; the digests were taken from files that were looked at and counted."""

from vbook.data.cards import Card, File
from vbook.errors import VbookError, nearest

_TRAIN = ("train", "valid")
_TEST = ("test",)
_GREY = ("real", "dynamic", "static", "threshold")
_LARGEST_PART = "the first 50,000 images of the training file are the split train, its last 10,000 valid"


def _idx(folder: str, digests: dict[str, tuple[str, int]]) -> tuple[File, ...]:
    """MNIST's four files in ``folder``, from ``{name: (sha256, bytes)}``."""
    return tuple(
        File(f"{folder}/{name}", sha256, size, _TEST if name.startswith("t10k") else _TRAIN, "labels" in name)
        for name, (sha256, size) in digests.items()
    )


def _amat(split: str, sha256: str, images: int) -> File:
    """One of Larochelle's text files: a line of 784 digits with blanks between for each image."""
    place = f"www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/binarized_mnist_{split}.amat"
    path = f"binarized_mnist/binarized_mnist_{split}.amat"
    return File(path, sha256, images * 2 * 784, (split,), sources=(f"https://{place}", f"http://{place}"))


DIGITS = Card(
    name="digits",
    title="handwritten digits of scikit-learn, enlarged to MNIST's layout",
    sizes={"train": 1297, "valid": 250, "test": 250},
    shape=(28, 28),
    scale=800,
    protocols=_GREY,
    preprocessing="8×8 images with 17 grey levels, enlarged 2.5 times (bilinear) into the middle of 28×28, contrast doubled "
    "about the middle grey so that strokes have edges as steep as MNIST's, in exact integer arithmetic; order and split by a "
    "fixed permutation",
    licence="CC BY 4.0",
    citation="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998",
    home="https://archive.ics.uci.edu/dataset/80",
    labels="the digit, 0–9",
    forms=((File("data/digits.csv.gz", "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22", 57523),),),
)

PHOTOS = Card(
    name="photos",
    title="colour patches of the two photographs inside scikit-learn",
    sizes={"train": 5720, "valid": 1144, "test": 1144},
    shape=(16, 16, 3),
    scale=255,
    protocols=("real",),
    preprocessing="16×16 patches at a stride of 8 pixels; the left 448 columns of each photograph are the split train, the next "
    "96 valid, the last 96 test, so that no pixel is in two splits; fixed random order within a split",
    licence="CC BY 2.0",
    citation="china.jpg by danielbuechele (2011), flower.jpg by vultilion (2011), both on Flickr",
    home="https://scikit-learn.org/stable/datasets/loading_other_datasets.html#sample-images",
    forms=(
        (
            File("images/china.jpg", "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29", 196653),
            File("images/flower.jpg", "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638", 142987),
        ),
    ),
)

MNIST = Card(
    name="mnist",
    title="MNIST handwritten digits",
    sizes={"train": 50_000, "valid": 10_000, "test": 10_000},
    shape=(28, 28),
    scale=255,
    protocols=_GREY,
    preprocessing=f"levels / 255; {_LARGEST_PART}; static is one fixed draw of our own, not Larochelle's: see binarized-mnist",
    licence="usually stated as CC BY-SA 3.0",
    citation="Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, 1998",
    home="http://yann.lecun.com/exdb/mnist/",
    stand_in="digits",
    labels="the digit, 0–9",
    mirrors=("https://storage.googleapis.com/cvdf-datasets/mnist/",),
    torchvision="MNIST",
    forms=(
        _idx(
            "MNIST/raw",
            {
                "train-images-idx3-ubyte.gz": ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
                "train-labels-idx1-ubyte.gz": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
                "t10k-images-idx3-ubyte.gz": ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
                "t10k-labels-idx1-ubyte.gz": ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
            },
        ),
    ),
)

BINARIZED_MNIST = Card(
    name="binarized-mnist",
    title="statically binarised MNIST (Larochelle)",
    sizes={"train": 50_000, "valid": 10_000, "test": 10_000},
    shape=(28, 28),
    scale=1,
    protocols=("static",),
    preprocessing="binary pixels as published; the published test file is sorted by class, so its rows are put into a fixed "
    "random order here: the first n test images are then a fair sample",
    licence="derived from MNIST; no terms of its own",
    citation="H. Larochelle and I. Murray, The Neural Autoregressive Distribution Estimator, AISTATS 2011; "
    "binarisation of R. Salakhutdinov and I. Murray, ICML 2008",
    home="http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",
    stand_in="digits",
    forms=(
        (
            File(
                "binarized_mnist/binarized_mnist.npz",
                "62041dccb2ae219e9454119427cf17bbb42d4cffa59ba8e6824d0315b4f383f2",
                2_205_110,
            ),
        ),
        (
            _amat("train", "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d", 50_000),
            _amat("valid", "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2", 10_000),
            _amat("test", "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c", 10_000),
        ),
    ),
)

FASHION_MNIST = Card(
    name="fashion-mnist",
    title="Fashion-MNIST product images",
    sizes={"train": 50_000, "valid": 10_000, "test": 10_000},
    shape=(28, 28),
    scale=255,
    protocols=_GREY,
    preprocessing=f"levels / 255; {_LARGEST_PART}",
    licence="MIT",
    citation="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning "
    "algorithms, 2017",
    home="https://github.com/zalandoresearch/fashion-mnist",
    stand_in="digits",
    labels="the class, 0–9: T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot",
    mirrors=("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
    torchvision="FashionMNIST",
    forms=(
        _idx(
            "FashionMNIST/raw",
            {
                "train-images-idx3-ubyte.gz": ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
                "train-labels-idx1-ubyte.gz": ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
                "t10k-images-idx3-ubyte.gz": ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
                "t10k-labels-idx1-ubyte.gz": ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
            },
        ),
    ),
)

FREY_FACE = Card(
    name="frey-face",
    title="Frey Face: 1,965 frames of one face",
    sizes={"train": 1600, "valid": 165, "test": 200},
    shape=(28, 20),
    scale=256,
    protocols=("real",),
    preprocessing="levels / 256, as in the author's code of 2014 (a bound is a density: another scale shifts it); frames are "
    "neighbours in time, so order and split come from a fixed permutation; valid+test are the 365 images outside train",
    licence="none stated; used in research since 2000",
    citation="B. Frey's face, from S. Roweis's data page",
    home="https://cs.nyu.edu/~roweis/data.html",
    stand_in="photos",
    forms=(
        (
            File(
                "frey_faces/frey_rawface.mat",
                "265a83a23adb081755cd3de375509828e690324d1d60f076b8ecebc840d59c64",
                1_100_584,
                sources=(
                    "https://cs.nyu.edu/~roweis/data/frey_rawface.mat",
                    "https://raw.githubusercontent.com/vilhess/projet_meth_ia/4935816fb0a32c05a7a4d54d5945a83f1f1bd5c0"
                    "/dataset/frey_rawface.mat",
                ),
            ),
        ),
    ),
)

LFW = Card(
    name="lfw",
    title="Labeled Faces in the Wild, deep-funneled, grey 32×32 crops",
    sizes={"train": 10_793, "valid": 1_371, "test": 1_069},
    shape=(32, 32),
    scale=255,
    protocols=("real",),
    preprocessing="grey (ITU-R 601), the central 96×96 of 250×250 pixels as 3×3 block means, levels / 255; nobody is in two "
    "splits: people whose number ends in 8 are the split valid, in 9 test; fixed random order within a split",
    licence="for research; the pictures are press photographs whose rights stay with their owners",
    citation="G. Huang, M. Ramesh, T. Berg and E. Learned-Miller, Labeled Faces in the Wild, 2007 (deep-funneled: 2012)",
    home="http://vis-www.cs.umass.edu/lfw/",
    stand_in="photos",
    labels="the person, 0–5748",
    forms=((File("lfw/lfw_gray32.npz", "c7e802576d964d3c06c74ee6fe961b180adbfb272e83deb2d4bb18f683b5bd71", 10_665_679),),),
)

CARDS = (DIGITS, PHOTOS, MNIST, BINARIZED_MNIST, FASHION_MNIST, FREY_FACE, LFW)


def cards() -> dict[str, Card]:
    """All data cards by name."""
    return {card.name: card for card in CARDS}


def names() -> tuple[str, ...]:
    """The names of all sets, embedded ones first."""
    return tuple(cards())


def card(name: str) -> Card:
    """The data card of ``name``, or a VbookError that offers the nearest name.

    >>> card("digits").shape
    (28, 28)
    """
    known = cards()
    if not isinstance(name, str) or name not in known:
        raise VbookError(f"unknown data set {name!r}{nearest(str(name), known)}")
    return known[name]


def stand_in(name: str) -> str:
    """The embedded set that serves instead of ``name``: for an embedded one, itself.

    >>> stand_in("binarized-mnist"), stand_in("digits")
    ('digits', 'digits')
    """
    return card(name).stand_in or name
