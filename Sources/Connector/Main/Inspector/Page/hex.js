// SPDX-License-Identifier: Apache-2.0
// Bytes as people read them: offset, sixteen bytes, and what of them is printable ASCII.

export function hexDump(bytes, start = 0, limit = 16_384) {
  const end = Math.min(bytes.length, start + limit);
  const lines = [];
  for (let offset = start; offset < end; offset += 16) {
    let codes = '';
    let signs = '';
    for (let index = offset; index < offset + 16; index += 1) {
      if (index === offset + 8) codes += ' ';
      if (index < end) {
        const byte = bytes[index];
        codes += `${byte.toString(16).padStart(2, '0')} `;
        signs += byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.';
      } else {
        codes += '   ';
      }
    }
    lines.push(`${offset.toString(16).padStart(8, '0')}  ${codes} ${signs}`);
  }
  return lines.join('\n');
}
