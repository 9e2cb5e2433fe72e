# SPDX-License-Identifier: Apache-2.0
"""Takes out of a program what differs between two builds of the same sources in two folders.

The compiler puts into .swift_modhash a hash of what it made each module from, with the folder's name, and the linker into
.note.gnu.build-id one of the whole. The first is for the compiler alone and becomes zeros; the second is made anew. Nothing
is moved: a program whose loaded sections are removed by strip loses the protection of its relocations (RELRO)."""

import hashlib
import struct


def sections(program):
    """The place and the size in the file of each section of an ELF file of 64 bits, by name."""
    if program[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not an ELF file of 64 bits, little-endian")
    table, = struct.unpack_from("<Q", program, 0x28)
    size, count, names = struct.unpack_from("<HHH", program, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", program, table + index * size) for index in range(count)]
    start = headers[names][4]
    found = {}
    for name, _, _, _, place, length in headers:
        end = program.index(0, start + name)
        found[program[start + name:end].decode()] = (place, length)
    return found


def settle(path):
    """Rewrites the program at a path."""
    program = bytearray(path.read_bytes())
    found = sections(program)
    if ".swift_modhash" in found:
        place, length = found[".swift_modhash"]
        program[place:place + length] = bytes(length)
    if ".note.gnu.build-id" in found:
        place, length = found[".note.gnu.build-id"]
        # Behind the note's head and its name, GNU: a hash of 20 bytes (SHA-1, as the linker makes it).
        hash_place, hash_length = place + 16, length - 16
        program[hash_place:hash_place + hash_length] = bytes(hash_length)
        program[hash_place:hash_place + hash_length] = hashlib.sha1(program).digest()[:hash_length]
    path.write_bytes(program)
