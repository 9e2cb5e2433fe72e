// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import HTTP1

@Suite("Names of fields, and bytes looked at eight at a time")
struct FieldNameTests {
    private static func field(_ name: String) -> KnownField {
        Array(name.utf8).withUnsafeBytes { KnownField($0) }
    }

    @Test("Every known name is found in any case")
    func knownNames() {
        for field in KnownField.allCases where !field.name.isEmpty {
            #expect(Self.field(field.name) == field)
            #expect(Self.field(field.name.uppercased()) == field)
        }
        for name in KnownField.clientAddressNames {
            #expect(Self.field(name) == .clientAddress)
            #expect(Self.field(name.uppercased()) == .clientAddress)
        }
    }

    @Test("A forwarding name with underscores is found, and no other name with them")
    func underscores() {
        let names =
            KnownField.allCases.map { ($0.name, $0.isForwarding) }
            + KnownField.clientAddressNames.map { ($0, true) }
        for (name, isForwarding) in names where name.contains("-") {
            let underscored = String(name.map { $0 == "-" ? "_" : $0 })
            #expect(Self.field(underscored) == (isForwarding ? .underscoredForwarding : .other), "\(underscored)")
            #expect(Self.field(underscored.uppercased()) == (isForwarding ? .underscoredForwarding : .other))
        }
        #expect(Self.field("X-Forwarded-Foo") == .xForwardedOther)
        #expect(Self.field("X_Forwarded-Foo") == .underscoredForwarding)
        #expect(Self.field("x-forwarded-foo_bar") == .underscoredForwarding)
        #expect(Self.field("x-forwarded-" + String(repeating: "a", count: 40)) == .xForwardedOther)
        #expect(Self.field("x-forwarded") == .clientAddress)
        #expect(Self.field("x_forwarde_") == .other)
    }

    @Test("A name with one byte changed is another name, whatever the byte")
    func otherBytes() {
        let name = Array("content-length".utf8)
        for index in name.indices {
            for byte in UInt8.min...UInt8.max where byte.asciiLowercased != name[index] {
                var other = name
                other[index] = byte
                #expect(other.withUnsafeBytes { KnownField($0) } == .other, "\(index) \(byte)")
            }
        }
    }

    @Test("A name of which the beginning is known is refused if it is no token")
    func beginnings() {
        for name in ["X-Forwarded-A\u{14}", "X-Forwarded-A_\u{14}", "X_Forwarded_A ", "X_Forwarded_For ", "Host "] {
            var parser = HeadParser()
            var buffer = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\(name): b\r\n\r\n")
            #expect(throws: HTTPFault.self, "\(name)") { try parser.request(&buffer) }
        }
    }

    @Test("A wrong byte is found at every place of values and targets of every length")
    func wrongBytes() {
        for length in 1...20 {
            var misjudged: [UInt8] = []
            for (place, byte) in (0..<length).flatMap({ place in (UInt8.min...UInt8.max).map { (place, $0) } }) {
                var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                bytes[place] = byte
                let isRight = bytes.withUnsafeBytes { bytes in
                    ByteClass.isFieldValue(bytes) == ((byte >= 0x20 || byte == 0x09) && byte != 0x7F)
                        && ByteClass.isRetainedValue(bytes) == (byte != 0 && byte != 0x0A && byte != 0x0D)
                        && ByteClass.isTarget(bytes) == (byte > 0x20 && byte != 0x7F)
                }
                if !isRight { misjudged.append(byte) }
            }
            #expect(misjudged.isEmpty, "\(length)")
        }
    }

    @Test("A line that is read eight bytes at a time is the same to the reader that goes byte by byte")
    func usualFields() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let names = [
            "Host", "x-forwarded-foo", "X-Forwarded-For", "TE", "a", "Content-Length", "A-Longer-Name-Of-Nothing",
        ]
        let values = [
            "", "a", "keep-alive", "text/html; charset=utf-8", "h\u{e9}llo", "  b  ", "Sun, 29 Nov 2026 08:30",
        ]
        let oddBytes: [UInt8] = [0, 9, 0x0A, 0x0D, 0x20, 0x2D, 0x3A, 0x5F, 0x7F, 0x80, 0xFF]
        var usual = 0
        for _ in 0..<20_000 {
            let name = names.randomElement(using: &random) ?? ""
            var bytes = Array("\(name):\(Bool.random(using: &random) ? " " : "")".utf8)
            bytes += Array("\(values.randomElement(using: &random) ?? "")\r\n".utf8)
            bytes += [UInt8](repeating: 0x0D, count: Int.random(in: 0...9, using: &random))
            if Bool.random(using: &random), let place = bytes.indices.randomElement(using: &random) {
                bytes[place] = oddBytes.randomElement(using: &random) ?? 0
            }
            try bytes.withUnsafeBytes { raw in
                guard let words = UsualField.Words(raw), let field = UsualField(words, at: 0, .all) else { return }
                usual += 1
                for isLenient in [false, true] {
                    let found = try HeadParser.endOfLine(raw, from: 0, isLenient: isLenient)
                    let (end, next) = try #require(found, "seed \(seed): \(bytes)")
                    let line = try HeadParser.parseField(raw, 0, end, isLenient: isLenient)
                    let isEqual =
                        next == field.next && line?.known == field.line.known && line?.name == field.line.name
                        && line?.value == field.line.value
                    #expect(isEqual, "seed \(seed): \(bytes)")
                }
            }
        }
        #expect(usual > 10_000)
    }
}
