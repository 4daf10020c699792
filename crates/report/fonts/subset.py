"""Makes chinese.otf of the characters that the Chinese table has: see README.md."""
import pathlib
import sys

from fontTools import subset
from fontTools.ttLib import TTCollection

here = pathlib.Path(__file__).parent
text = "".join(path.read_text() for path in sorted((here / "../src/lang").glob("zh*.rs")))
wanted = {ord(c) for c in text if ord(c) > 0x7F} | set(range(0x20, 0x7F)) | {ord(c) for c in "µ±–…≤≥×∞·Δ"}
fonts = TTCollection(sys.argv[1]).fonts
font = next(font for font in fonts if font["name"].getDebugName(4) == "Noto Sans CJK SC")
options = subset.Options()
options.layout_features = []
options.hinting = False
options.desubroutinize = True
options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
options.drop_tables += ["BASE", "GPOS", "GSUB", "GDEF", "VORG", "vhea", "vmtx"]
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=wanted)
subsetter.subset(font)
font.save(here / "chinese.otf")
