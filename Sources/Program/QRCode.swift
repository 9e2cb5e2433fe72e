// SPDX-License-Identifier: Apache-2.0

/// A QR code (ISO/IEC 18004) for the terminal: byte mode, error correction level L, versions 1 to 9, mask 0.
///
/// That is what an `otpauth` URI and the URL of a tunnel need; a fixed mask is allowed, and readers take any.
package struct QRCode {
    /// The modules, row by row; `true` is dark.
    package let modules: [[Bool]]

    /// What is different between versions at level L: all codewords, check codewords a block, and blocks.
    private static let versions: [(codewords: Int, check: Int, blocks: Int)] = [
        (26, 7, 1), (44, 10, 1), (70, 15, 1), (100, 20, 1), (134, 26, 1), (172, 18, 2), (196, 20, 2), (242, 24, 2),
        (292, 30, 2),
    ]

    /// The version information of versions 7 to 9 (annex D).
    private static let versionBits: [Int: UInt32] = [7: 0x07C94, 8: 0x085BC, 9: 0x09A99]

    /// Encodes a text; `nil` if it is longer than 230 bytes.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        let fits = Self.versions.indices.first { index in
            let entry = Self.versions[index]
            // Four bits of mode, eight of length.
            return bytes.count + 2 <= entry.codewords - entry.check * entry.blocks
        }
        guard let fits else { return nil }
        let entry = Self.versions[fits]
        var drawing = Drawing(version: fits + 1)
        drawing.drawPatterns(versionBits: Self.versionBits[fits + 1])
        let data = Self.dataCodewords(bytes, count: entry.codewords - entry.check * entry.blocks)
        drawing.draw(Self.interleaved(data, check: entry.check, blocks: entry.blocks))
        self.modules = drawing.modules
    }

    /// The empty modules on each side.
    private static let margin = 2

    /// How many columns of a terminal the code takes, with its margins.
    package var columns: Int { self.modules.count + 2 * Self.margin }

    /// How many lines of a terminal the code takes, with its margins.
    package var rows: Int { (self.columns + 1) / 2 }

    /// The code with two modules a character, dark on light whatever the terminal's colours.
    package var terminalText: String {
        self.lines(dark: true).map { "\u{1B}[30;107m\($0)\u{1B}[0m\n" }.joined()
    }

    /// The code without any colour: right for light text on a dark ground, which is what most terminals have.
    package var plainText: String {
        self.lines(dark: false).map { $0 + "\n" }.joined()
    }

    /// Lines in which the dark modules are drawn, or the light ones.
    private func lines(dark: Bool) -> [String] {
        let size = self.modules.count
        func isDrawn(_ row: Int, _ column: Int) -> Bool {
            // The margins are light; below the last of them there is nothing.
            guard row < size + Self.margin else { return false }
            guard (0..<size).contains(row), (0..<size).contains(column) else { return !dark }
            return self.modules[row][column] == dark
        }
        return stride(from: -Self.margin, to: size + Self.margin, by: 2).map { row in
            (-Self.margin..<size + Self.margin).map { column in
                switch (isDrawn(row, column), isDrawn(row + 1, column)) {
                case (true, true): "\u{2588}"
                case (true, false): "\u{2580}"
                case (false, true): "\u{2584}"
                case (false, false): " "
                }
            }.joined()
        }
    }

    // MARK: Codewords

    private static func dataCodewords(_ bytes: [UInt8], count: Int) -> [UInt8] {
        // Mode 0100 and the length, so that every byte is shifted by four bits; then the terminator.
        var nibbles: [UInt8] = [4, UInt8(bytes.count >> 4), UInt8(bytes.count & 15)]
        for byte in bytes { nibbles += [byte >> 4, byte & 15] }
        nibbles.append(0)
        var data: [UInt8] = stride(from: 0, to: nibbles.count, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
        var padding: UInt8 = 0xEC
        while data.count < count {
            data.append(padding)
            padding ^= 0xEC ^ 0x11
        }
        return data
    }

    private static func interleaved(_ data: [UInt8], check: Int, blocks: Int) -> [UInt8] {
        let length = data.count / blocks
        // The versions here have blocks of one length only.
        let parts = (0..<blocks).map { Array(data[$0 * length..<($0 + 1) * length]) }
        let checks = parts.map { ReedSolomon.checkCodewords(of: $0, count: check) }
        return (0..<length).flatMap { index in parts.map { $0[index] } }
            + (0..<check).flatMap { index in checks.map { $0[index] } }
    }
}

/// Reed-Solomon codes over GF(256) with the polynomial of QR codes.
enum ReedSolomon {
    private static func multiply(_ one: UInt8, _ other: UInt8) -> UInt8 {
        var (product, factor, rest) = (0, Int(one), other)
        while rest > 0 {
            if rest & 1 == 1 { product ^= factor }
            factor <<= 1
            if factor & 0x100 != 0 { factor ^= 0x11D }
            rest >>= 1
        }
        return UInt8(product)
    }

    /// The remainder of the data by the generator polynomial of a degree.
    static func checkCodewords(of data: [UInt8], count: Int) -> [UInt8] {
        var generator = [UInt8](repeating: 0, count: count)
        generator[count - 1] = 1
        var root: UInt8 = 1
        for _ in 0..<count {
            for index in 0..<count {
                generator[index] = self.multiply(generator[index], root)
                if index + 1 < count { generator[index] ^= generator[index + 1] }
            }
            root = self.multiply(root, 2)
        }
        var remainder = [UInt8](repeating: 0, count: count)
        for byte in data {
            let factor = byte ^ remainder.removeFirst()
            remainder.append(0)
            for index in 0..<count { remainder[index] ^= self.multiply(generator[index], factor) }
        }
        return remainder
    }
}

extension QRCode {
    /// The square while it is being drawn.
    private struct Drawing {
        let version: Int
        let size: Int
        var modules: [[Bool]]
        private var isFixed: [[Bool]]

        init(version: Int) {
            self.version = version
            self.size = version * 4 + 17
            self.modules = Array(repeating: Array(repeating: false, count: self.size), count: self.size)
            self.isFixed = self.modules
        }

        private mutating func fix(_ row: Int, _ column: Int, _ isDark: Bool) {
            guard (0..<self.size).contains(row), (0..<self.size).contains(column) else { return }
            self.modules[row][column] = isDark
            self.isFixed[row][column] = true
        }

        mutating func drawPatterns(versionBits: UInt32?) {
            for index in 0..<self.size {
                self.fix(6, index, index.isMultiple(of: 2))
                self.fix(index, 6, index.isMultiple(of: 2))
            }
            let last = self.size - 7
            for (row, column) in [(0, 0), (0, last), (last, 0)] { self.drawFinder(row, column) }
            if self.version > 1 {
                let centres = self.version < 7 ? [6, self.size - 7] : [6, self.size / 2, self.size - 7]
                for row in centres {
                    for column in centres
                    where !self.isFixed[row][column] || row == 6 && column == self.size / 2
                        || column == 6 && row == self.size / 2
                    {
                        self.drawAlignment(row, column)
                    }
                }
            }
            self.drawFormat()
            if let versionBits {
                for index in 0..<18 {
                    let isDark = versionBits >> UInt32(index) & 1 == 1
                    self.fix(self.size - 11 + index % 3, index / 3, isDark)
                    self.fix(index / 3, self.size - 11 + index % 3, isDark)
                }
            }
        }

        private mutating func drawFinder(_ top: Int, _ left: Int) {
            for row in -1...7 {
                for column in -1...7 {
                    let distance = max(abs(row - 3), abs(column - 3))
                    self.fix(top + row, left + column, distance != 2 && distance != 4)
                }
            }
        }

        private mutating func drawAlignment(_ row: Int, _ column: Int) {
            for down in -2...2 {
                for right in -2...2 { self.fix(row + down, column + right, max(abs(down), abs(right)) != 1) }
            }
        }

        /// Level L and mask 0 (annex C): 111011111000100.
        private mutating func drawFormat() {
            let bits: UInt32 = 0b1110111_11000100
            func isDark(_ index: Int) -> Bool { bits >> UInt32(index) & 1 == 1 }
            for index in 0...5 { self.fix(index, 8, isDark(index)) }
            self.fix(7, 8, isDark(6))
            self.fix(8, 8, isDark(7))
            self.fix(8, 7, isDark(8))
            for index in 9..<15 { self.fix(8, 14 - index, isDark(index)) }
            for index in 0..<8 { self.fix(8, self.size - 1 - index, isDark(index)) }
            for index in 8..<15 { self.fix(self.size - 15 + index, 8, isDark(index)) }
            self.fix(self.size - 8, 8, true)
        }

        /// Lays the bits in pairs of columns, upwards and downwards in turn, from the right.
        mutating func draw(_ codewords: [UInt8]) {
            var bit = 0
            var right = self.size - 1
            while right >= 1 {
                if right == 6 { right = 5 }
                let isUpwards = (right + 1) & 2 == 0
                for step in 0..<self.size {
                    let row = isUpwards ? self.size - 1 - step : step
                    for column in [right, right - 1] where !self.isFixed[row][column] {
                        let isSet = bit < codewords.count * 8 && codewords[bit / 8] >> UInt8(7 - bit % 8) & 1 == 1
                        // Mask 0 turns every module whose row and column add up to an even number.
                        self.modules[row][column] = isSet != (row + column).isMultiple(of: 2)
                        bit += 1
                    }
                }
                right -= 2
            }
        }
    }
}
