// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import HTTP1

@Suite("Bodies")
struct BodyTests {
    /// What a reader passes on, and what became of it.
    private struct Reading: Equatable {
        var passed = ""
        var end = "incomplete"
        var rest = ""
    }

    private static func read(
        _ pieces: [ByteBuffer],
        _ framing: BodyFraming,
        contentOnly: Bool = false,
        isLenient: Bool = false
    ) -> Reading {
        var reader = BodyReader(framing, isLenient: isLenient)
        var buffer = ByteBuffer()
        var reading = Reading()
        for piece in pieces {
            buffer.writeImmutableBuffer(piece)
            do {
                while let bytes = try reader.read(&buffer, contentOnly: contentOnly) {
                    reading.passed += String(buffer: bytes)
                }
            } catch {
                reading.end = "\(error.kind)"
                return reading
            }
        }
        if reader.isComplete { reading.end = "complete" }
        reading.rest = String(buffer: buffer)
        return reading
    }

    private static let chunked: [(body: String, passed: String, content: String)] = [
        ("0\r\n\r\n", "0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("005\r\nhello\r\n000\r\n\r\n", "005\r\nhello\r\n000\r\n\r\n", "hello"),
        (
            "A\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
            "A\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
            "0123456789\r\n\r\n\r\n\r\n\r\n"
        ),
        ("1;a=b;c=\"d;\\\"\"\r\nx\r\n0;last\r\n\r\n", "1;a=b;c=\"d;\\\"\"\r\nx\r\n0;last\r\n\r\n", "x"),
        ("1\r\nx\r\n0\r\nX-Sum: 1\r\nY:2\r\n\r\n", "1\r\nx\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", "x"),
        ("0\r\nHost: a\r\nX_Forwarded_For: 1\r\nSet-Cookie: a\r\nX: y\r\n\r\n", "0\r\nX: y\r\n\r\n", ""),
    ]

    @Test("A chunked body passes as it came, in whatever pieces it comes", arguments: Self.chunked)
    func passes(_ body: String, _ passed: String, _ content: String) {
        let stream = body + "NEXT"
        let expected = Reading(passed: passed, end: "complete", rest: "NEXT")
        let expectedContent = Reading(passed: content, end: "complete", rest: "NEXT")
        #expect(Self.read([ByteBuffer(string: stream)], .chunked) == expected)
        #expect(Self.read([ByteBuffer(string: stream)], .chunked, contentOnly: true) == expectedContent)
        #expect(Self.read(Splits.byteByByte(stream), .chunked) == expected)
        #expect(Self.read(Splits.byteByByte(stream), .chunked, contentOnly: true) == expectedContent)
        for seed in 1...30 as ClosedRange<UInt64> {
            #expect(Self.read(Splits.random(stream, seed: seed), .chunked) == expected, "seed \(seed)")
            let reading = Self.read(Splits.random(stream, seed: seed), .chunked, contentOnly: true)
            #expect(reading == expectedContent, "seed \(seed)")
        }
    }

    private static let padded: [(body: String, passed: String)] = [
        ("5 \r\nhello\r\n0\r\n\r\n", "05\r\nhello\r\n0\r\n\r\n"),
        ("5  \t\r\nhello\r\n0   \r\n\r\n", "0005\r\nhello\r\n0000\r\n\r\n"),
        ("5 ;a=b\r\nhello\r\n0\t;c\r\nX: y\r\n\r\n", "05;a=b\r\nhello\r\n00;c\r\nX: y\r\n\r\n"),
        (
            "5; a=b\r\nhello\r\n5              \r\nworld\r\n0\r\n\r\n",
            "5; a=b\r\nhello\r\n000000000000005\r\nworld\r\n0\r\n\r\n"
        ),
    ]

    @Test("White space behind a size that an origin pads becomes zeros before it", arguments: Self.padded)
    func padding(_ body: String, _ passed: String) {
        let expected = Reading(passed: passed, end: "complete", rest: "NEXT")
        for pieces in [[ByteBuffer(string: body + "NEXT")], Splits.byteByByte(body + "NEXT")] {
            #expect(Self.read(pieces, .chunked, isLenient: true) == expected)
            let content = Self.read(pieces, .chunked, contentOnly: true, isLenient: true)
            #expect(content.end == "complete" && content.passed.hasPrefix("hello"))
            #expect(Self.read(pieces, .chunked).end == "malformed")
        }
        for seed in 1...30 as ClosedRange<UInt64> {
            let reading = Self.read(Splits.random(body + "NEXT", seed: seed), .chunked, isLenient: true)
            #expect(reading == expected, "seed \(seed)")
        }
    }

    @Test(
        "White space anywhere else, or without end, makes a size malformed from an origin, too",
        arguments: [
            " 5\r\n", "5 5\r\n", "5 x\r\n", "5 \n", "5\u{B}\r\n", " \r\n", "5               \r\n", "5 \r5", ";a\r\n",
        ]
    )
    func badPadding(_ body: String) {
        for pieces in [[ByteBuffer(string: body)], Splits.byteByByte(body)] {
            #expect(Self.read(pieces, .chunked, isLenient: true).end == "malformed")
        }
    }

    static let malformed: [String] = [
        "x\r\n", "\r\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n", "0x5\r\nhello\r\n", "+5\r\nhello\r\n", "-1\r\n",
        "5\nhello\r\n",
        "5\rhello\r\n", "5\r\nhelloo\r\n", "5\r\nhello\n0\r\n", "5\r\nhello\rX", "10000000000000000\r\n",
        "fffffffffffffffff\r\n", "0000000000000000\r\n", ";a\r\n", "5;a\nhello\r\n", "5;a\u{0}\r\nhello\r\n",
        "5;a=\"\r\n\"\r\nhello\r\n", "0\r\nX\r\n\r\n", "0\r\nX : a\r\n\r\n", "0\r\nX: a\r\n b\r\n\r\n",
        "0\r\nX: a\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\n",
    ]

    @Test("A chunked body that is malformed is refused, in whatever pieces it comes", arguments: Self.malformed)
    func refused(_ body: String) {
        #expect(Self.read([ByteBuffer(string: body)], .chunked).end == "malformed")
        #expect(Self.read(Splits.byteByByte(body), .chunked).end == "malformed")
        #expect(Self.read(Splits.byteByByte(body), .chunked, contentOnly: true).end == "malformed")
    }

    @Test("A size line without end, and trailers without end, are refused")
    func limits() {
        let line = "5;" + String(repeating: "a", count: 5_000)
        #expect(Self.read([ByteBuffer(string: line)], .chunked).end == "malformed")
        #expect(Self.read(Splits.byteByByte(line), .chunked).end == "malformed")
        let trailers = "0\r\nX: " + String(repeating: "a", count: 20_000)
        #expect(Self.read([ByteBuffer(string: trailers)], .chunked).end == "headTooLarge")
        let fields = "0\r\n" + String(repeating: "X: a\r\n", count: 65) + "\r\n"
        #expect(Self.read([ByteBuffer(string: fields)], .chunked).end == "headTooLarge")
    }

    @Test(
        "Trailers that speak for the head are left out, all others pass",
        arguments: [
            "Host: a", "Authorization: x", "Expect: 100-continue", "Connection: close", "Set-Cookie: a=b", "Trailer: X",
            "X-Forwarded-For: 1.2.3.4", "Culvert-Error: x", "Upgrade: a", "TE: trailers",
        ]
    )
    func trailers(_ line: String) throws {
        var reader = BodyReader(.chunked)
        var buffer = ByteBuffer(string: "0\r\nX: 1\r\n\(line)\r\nY: 2\r\n\r\n")
        let bytes = try #require(try reader.read(&buffer))
        #expect(String(buffer: bytes) == "0\r\nX: 1\r\nY: 2\r\n\r\n")
    }

    @Test("Content is passed on before its chunk is complete")
    func noDelay() throws {
        var reader = BodyReader(.chunked)
        var buffer = ByteBuffer(string: "ff\r\nfirst")
        let bytes = try #require(try reader.read(&buffer))
        #expect(String(buffer: bytes) == "ff\r\nfirst")
    }

    @Test("A body with a length takes its bytes and no more")
    func length() {
        for pieces in [[ByteBuffer(string: "helloNEXT")], Splits.byteByByte("helloNEXT")] {
            #expect(Self.read(pieces, .length(5)) == Reading(passed: "hello", end: "complete", rest: "NEXT"))
        }
        #expect(Self.read([ByteBuffer(string: "hel")], .length(5)).end == "incomplete")
        #expect(Self.read([ByteBuffer(string: "NEXT")], .none) == Reading(end: "complete", rest: "NEXT"))
    }

    @Test("Only a body that is delimited by the end of the connection is completed by it")
    func untilClose() {
        for (framing, isComplete) in [(BodyFraming.untilClose, true), (.length(1), false), (.chunked, false)] {
            var reader = BodyReader(framing)
            #expect(!reader.isComplete)
            reader.connectionEnded()
            #expect(reader.isComplete == isComplete)
        }
    }
}
