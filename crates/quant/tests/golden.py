"""Makes data/golden.bin and data/errors.txt from two independent implementations of the block types.

golden.bin: random blocks of every type and what the `gguf` package (pip install gguf) dequantizes them to.
errors.txt: the root-mean-square error with which ggml quantizes the distributions of golden.rs; needs ggml's shared
library, whose path is the argument (libggml-base.so of a llama.cpp build).
"""

import ctypes
import pathlib
import struct
import sys

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

DATA = pathlib.Path(__file__).parent / "data"
# Where each type's blocks hold halves; random bits there would be infinities.
HALVES = {
    T.F16: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
    T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0],
}
TYPES = [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL,
         T.IQ4_XS, T.MXFP4]


class Random:
    """The generator of golden.rs."""

    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 32

    def bell(self):
        return numpy.float32(sum(self.bits() >> 16 for _ in range(4)) / 65536 - 2)


def golden():
    random = Random(1)
    with open(DATA / "golden.bin", "wb") as out:
        for kind in TYPES:
            length, size = GGML_QUANT_SIZES[kind]
            n = max(2, 8 // length)
            blocks = bytearray(random.bits() >> 24 for _ in range(n * size))
            for block in range(n):
                if kind in (T.F32, T.BF16):
                    value = numpy.float32(random.bell()).tobytes()
                    blocks[block * size:(block + 1) * size] = value[4 - size:]
                for at in HALVES.get(kind, []):
                    at += block * size
                    blocks[at:at + 2] = numpy.float16(random.bell() / 16).tobytes()
                if kind == T.MXFP4:
                    blocks[block * size] = 120 + block
            values = dequantize(numpy.frombuffer(bytes(blocks), numpy.uint8), kind).astype(numpy.float32).ravel()
            out.write(struct.pack("<III", kind.value, len(blocks), len(values)) + blocks + values.tobytes())


def errors(library):
    ggml = ctypes.CDLL(library)
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    random = Random(2)
    bell = numpy.array([random.bell() for _ in range(64 * 256)], numpy.float32)
    with open(DATA / "errors.txt", "w") as out:
        for kind in TYPES:
            if kind == T.F32:
                continue
            length, size = GGML_QUANT_SIZES[kind]
            found = []
            for x in (bell, bell * bell * bell):
                if kind in (T.F16, T.BF16):
                    back = x.astype(numpy.float16).astype(numpy.float32)
                    if kind == T.BF16:
                        bits = x.view(numpy.uint32)
                        back = ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(numpy.uint32).view(numpy.float32)
                else:
                    packed = numpy.zeros(len(x) // length * size, numpy.uint8)
                    ggml.ggml_quantize_chunk(kind.value, x.ctypes.data, packed.ctypes.data, 0, 64, 256, None)
                    back = dequantize(packed, kind).ravel()
                found.append(numpy.sqrt(((back.astype(numpy.float64) - x) ** 2).mean()))
            out.write(f"{kind.name} {found[0]:.8f} {found[1]:.8f}\n")


golden()
errors(sys.argv[1])
