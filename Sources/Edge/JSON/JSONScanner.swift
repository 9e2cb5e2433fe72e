// SPDX-License-Identifier: Apache-2.0

/// Reads a JSON text byte by byte (RFC 8259); unlike decoders it takes no trailing comma and no other encoding.
struct JSONScanner {
    /// How deep values may be nested; nothing that is known here goes deeper than five.
    static let maximumDepth = 64

    private let bytes: [UInt8]
    private var position = 0
    /// The members and elements around the value that is read.
    ///
    /// It becomes text only where a fault names it: the text of each place would take time by the length of a name and
    /// the number of values below it.
    private var path: [Step] = []

    private enum Step {
        case member(String)
        case element(Int)
    }

    /// Makes a scanner of a whole text.
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads the text.
    mutating func text() throws(JSONFault) -> JSONOutline {
        guard String(validating: self.bytes, as: UTF8.self) != nil else {
            throw JSONFault(field: nil, message: "is not JSON: it is not UTF-8")
        }
        // Nobody has to take a byte order mark, and nothing is gained by refusing it (§8.1).
        if self.bytes.starts(with: [0xef, 0xbb, 0xbf]) { self.position = 3 }
        let value = try self.value()
        self.skipSpace()
        guard self.position == self.bytes.count else { throw self.fault("nothing may follow the value") }
        return value
    }

    private var next: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

    private mutating func skipSpace() {
        while let byte = self.next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { self.position += 1 }
    }

    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard self.next == UInt8(ascii: byte) else { return false }
        self.position += 1
        return true
    }

    private mutating func take(literal: StaticString) -> Bool {
        let rest = self.bytes[self.position...]
        guard literal.withUTF8Buffer({ rest.starts(with: $0) }) else { return false }
        self.position += literal.utf8CodeUnitCount
        return true
    }

    /// Where the value is that is read.
    private var place: String {
        self.path.reduce(into: "") { path, step in
            switch step {
            case .member(let name): path = JSONPath.member(name, of: path)
            case .element(let index): path = JSONPath.element(index, of: path)
            }
        }
    }

    /// The fault at the byte that can't be there.
    private func fault(_ message: String) -> JSONFault {
        let before = self.bytes.prefix(self.position)
        let line = before.count { $0 == 0x0a } + 1
        let start = before.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        let place = "line \(line), column \(self.position - start + 1)"
        let end = self.position == self.bytes.count ? "it ends too early" : message
        return JSONFault(field: nil, message: "is not JSON: \(place): \(end)")
    }

    private mutating func value() throws(JSONFault) -> JSONOutline {
        guard self.path.count < Self.maximumDepth else {
            throw JSONFault(field: nil, message: "is nested deeper than \(Self.maximumDepth) levels")
        }
        self.skipSpace()
        switch self.next {
        case UInt8(ascii: "{"): return try self.object()
        case UInt8(ascii: "["): return try self.array()
        case UInt8(ascii: "\""): return .string(try self.string())
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try self.number())
        default:
            if self.take(literal: "true") { return .boolean(true) }
            if self.take(literal: "false") { return .boolean(false) }
            if self.take(literal: "null") { return .null }
            throw self.fault("a value is expected")
        }
    }

    private mutating func object() throws(JSONFault) -> JSONOutline {
        self.position += 1
        var members: [JSONOutline.Member] = []
        var names = Set<String>()
        self.skipSpace()
        if self.take("}") { return .object([]) }
        repeat {
            self.skipSpace()
            guard self.next == UInt8(ascii: "\"") else { throw self.fault("a member's name in quotes is expected") }
            let name = try self.string()
            self.path.append(.member(name))
            guard names.insert(name).inserted else { throw JSONFault(field: self.place, message: "is there twice") }
            self.skipSpace()
            guard self.take(":") else { throw self.fault("a colon is expected") }
            members.append(JSONOutline.Member(name: name, value: try self.value()))
            self.path.removeLast()
            self.skipSpace()
        } while self.take(",")
        guard self.take("}") else { throw self.fault("a comma or } is expected") }
        return .object(members)
    }

    private mutating func array() throws(JSONFault) -> JSONOutline {
        self.position += 1
        var elements: [JSONOutline] = []
        self.skipSpace()
        if self.take("]") { return .array([]) }
        repeat {
            self.path.append(.element(elements.count))
            elements.append(try self.value())
            self.path.removeLast()
            self.skipSpace()
        } while self.take(",")
        guard self.take("]") else { throw self.fault("a comma or ] is expected") }
        return .array(elements)
    }

    private mutating func string() throws(JSONFault) -> String {
        self.position += 1
        var text: [UInt8] = []
        while let byte = self.next, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw self.fault("a control character has to be escaped") }
            if byte == UInt8(ascii: "\\") {
                text.append(contentsOf: Array(UTF8.encode(try self.escape()) ?? UTF8.encodedReplacementCharacter))
            } else {
                text.append(byte)
                self.position += 1
            }
        }
        guard self.take("\"") else { throw self.fault("a quote is expected") }
        return String(decoding: text, as: UTF8.self)
    }

    private static let simpleEscapes: [UInt8: Unicode.Scalar] = [
        UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
        UInt8(ascii: "f"): "\u{c}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
    ]

    private mutating func escape() throws(JSONFault) -> Unicode.Scalar {
        self.position += 1
        if let byte = self.next, let scalar = Self.simpleEscapes[byte] {
            self.position += 1
            return scalar
        }
        let first = try self.codeUnit()
        guard UTF16.isLeadSurrogate(first) else {
            guard let scalar = Unicode.Scalar(first) else { throw self.fault("half of a surrogate pair") }
            return scalar
        }
        guard self.take("\\") else { throw self.fault("half of a surrogate pair") }
        let second = try self.codeUnit()
        guard UTF16.isTrailSurrogate(second) else { throw self.fault("half of a surrogate pair") }
        let value = 0x10000 + (UInt32(first) - 0xd800) << 10 + (UInt32(second) - 0xdc00)
        guard let scalar = Unicode.Scalar(value) else { throw self.fault("half of a surrogate pair") }
        return scalar
    }

    /// `u` and four hexadecimal digits.
    private mutating func codeUnit() throws(JSONFault) -> UInt16 {
        guard self.take("u") else { throw self.fault("there is no such escape") }
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = self.next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw self.fault("four hexadecimal digits are expected")
            }
            unit = unit << 4 | UInt16(digit)
            self.position += 1
        }
        return unit
    }

    private mutating func number() throws(JSONFault) -> String {
        let start = self.position
        _ = self.take("-")
        if !self.take("0") { try self.digits() }
        if self.take(".") { try self.digits() }
        if self.take("e") || self.take("E") {
            if !self.take("+") { _ = self.take("-") }
            try self.digits()
        }
        return String(decoding: self.bytes[start..<self.position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONFault) {
        let start = self.position
        while let byte = self.next, (0x30...0x39).contains(byte) { self.position += 1 }
        guard self.position > start else { throw self.fault("a digit is expected") }
    }
}
