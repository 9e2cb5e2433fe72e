// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import HTTP1

@Suite("Heads that are written")
struct HeadWriterTests {
    private func request(_ text: String) throws -> RequestHead {
        var parser = HeadParser()
        var buffer = ByteBuffer(string: text)
        return try #require(try parser.request(&buffer))
    }

    @Test("Whatever room is expected, the head is whole", arguments: [0, 1, 7, 40, 41, 42, 43, 1_000])
    func room(_ room: Int) {
        let head = HeadWriter.response(status: 404, room: room) { head in
            head.field("Retry-After") { $0.decimal(1_203) }
            head.field(named: "X", "y")
        }
        #expect(String(buffer: head) == "HTTP/1.1 404 Not Found\r\nRetry-After: 1203\r\nX: y\r\n\r\n")
    }

    @Test("What is much longer than expected is written a second time, into enough room")
    func twice() {
        var count = 0
        let long = String(repeating: "a", count: 100_000)
        let head = HeadWriter.head(room: 16) { head in
            count += 1
            head.text(long)
        }
        #expect(String(buffer: head) == long)
        #expect(count == 2)
    }

    @Test("Spare memory is used again unless it is held: those bytes stay as they are", arguments: [false, true])
    func spare(isHeld: Bool) {
        func place(of buffer: ByteBuffer) -> UnsafeRawPointer? { buffer.withUnsafeReadableBytes { $0.baseAddress } }
        var spare: ByteBuffer? = HeadWriter.head(room: 64) { $0.text("first") }
        let before = spare.flatMap(place)
        let held = isHeld ? spare : nil
        let second = HeadWriter.head(room: 32, spare: spare.take() ?? ByteBuffer()) { $0.text("the second") }
        #expect(String(buffer: second) == "the second")
        #expect((place(of: second) == before) == !isHeld)
        #expect(held.map { String(buffer: $0) } == (isHeld ? "first" : nil))
        let long = HeadWriter.head(room: 1_000, spare: second) { $0.text("a third, longer than the memory was") }
        #expect(String(buffer: long) == "a third, longer than the memory was")
        #expect(String(buffer: second) == "the second")
    }

    @Test(
        "Numbers in hexadecimal have all their digits",
        arguments: [0, 0xA, .max, 0x0123_4567_89ab_cdef_0011_2233_4455_6677]
    )
    func hexadecimal(_ number: UInt128) {
        let text = String(number, radix: 16)
        let expected = String(repeating: "0", count: 32 - text.count) + text
        #expect(String(buffer: HeadWriter.head(room: 32) { $0.hexadecimal(number) }) == expected)
    }

    @Test("A field is copied as it came, but for white space around its value")
    func copies() throws {
        let head = try self.request("GET / HTTP/1.1\r\nHost: a\r\nOne:1\r\nTwo: \t2 \r\nThree: 3\r\nFour:\r\n\r\n")
        let output = HeadWriter.head(copying: head.section, room: 0) { output in
            output.copy(head.method)
            for line in head.section.lines { output.copy(line) }
        }
        #expect(String(buffer: output) == "GETHost: a\r\nOne: 1\r\nTwo: 2\r\nThree: 3\r\nFour: \r\n")
    }

    @Test("A scalar is one byte where it is Latin-1, and UTF-8 where a byte of it could end the line")
    func latin1() {
        let output = HeadWriter.head(room: 16) { $0.latin1("a\u{e9}\u{ff}\u{10d}\u{2028}") }
        #expect(Array(output.readableBytesView) == [0x61, 0xe9, 0xff, 0xc4, 0x8d, 0xe2, 0x80, 0xa8])
    }

    @Test("Numbers have their digits and no more", arguments: [0, 9, 10, 99, 100, 65_536, Int.max])
    func decimals(_ number: Int) {
        #expect(String(buffer: HeadWriter.head(room: 4) { $0.decimal(number) }) == String(number))
    }
}

@Suite("Classes of bytes")
struct ByteClassTests {
    /// The letters and digits that both classes have.
    private static let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

    @Test("A token has the characters of RFC 9110 §5.6.2, and a name those of RFC 3986 §3.2.2 but for the comma")
    func members() {
        for byte in UInt8.min...UInt8.max {
            let isToken = withUnsafeBytes(of: byte) { ByteClass.isToken($0) }
            #expect(isToken == (Self.letters + "!#$%&'*+-.^_`|~").utf8.contains(byte), "\(byte)")
            #expect(ByteClass.isNameByte(byte) == (Self.letters + "-._~!$&'()*+;=%").utf8.contains(byte), "\(byte)")
        }
        #expect(!ByteClass.isToken(UnsafeRawBufferPointer(start: nil, count: 0)))
    }
}
