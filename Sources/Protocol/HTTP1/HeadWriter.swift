// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Writes a head (RFC 9112 §2.1) into memory that is taken once: the only place where a status line is made.
///
/// A head is written in dozens of small pieces. Each of them costs little more than its bytes here, where a `ByteBuffer`
/// asks every time whether it is shared and large enough.
package struct HeadWriter: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer
    /// The bytes of the head that fields are copied from.
    private let section: UnsafeRawBufferPointer
    /// How many bytes the head has so far; what has no room is counted and left out.
    fileprivate private(set) var count = 0

    private init(_ memory: UnsafeMutableRawBufferPointer, copying section: UnsafeRawBufferPointer) {
        self.memory = memory
        self.section = section
    }

    /// Makes a head.
    ///
    /// - Parameters:
    ///   - section: The head that fields are copied from, if there is one.
    ///   - room: How many bytes the head takes beyond those of the section, as far as the caller can tell.
    ///   - spare: Memory that is used again if nobody else holds it.
    ///   - write: Writes the head. It is called once more where the head has turned out to be longer, and writes the
    ///     same again.
    package static func head(
        copying section: FieldSection? = nil,
        room: Int,
        spare: consuming ByteBuffer = ByteBuffer(),
        _ write: (inout HeadWriter) -> Void
    ) -> ByteBuffer {
        var buffer = consume spare
        let room = (section?.bytes.readableBytes ?? 0) + room
        buffer.clear(minimumCapacity: room)
        guard let section else {
            Self.write(write, copying: UnsafeRawBufferPointer(start: nil, count: 0), room, to: &buffer)
            return buffer
        }
        section.bytes.withUnsafeReadableBytes { Self.write(write, copying: $0, room, to: &buffer) }
        return buffer
    }

    private static func write(
        _ write: (inout HeadWriter) -> Void,
        copying section: UnsafeRawBufferPointer,
        _ room: Int,
        to buffer: inout ByteBuffer
    ) {
        var needed = room
        var isWhole = false
        while !isWhole {
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: needed) { memory in
                var head = HeadWriter(memory, copying: section)
                write(&head)
                needed = head.count
                isWhole = needed <= memory.count
                return isWhole ? needed : 0
            }
        }
    }

    /// Makes the head of a response.
    ///
    /// - Parameters:
    ///   - status: From 100 to 999.
    ///   - reason: What stands behind the status; `nil` for the phrase of RFC 9110 §15.
    ///   - room: How many bytes the head and what follows in the same buffer will take, as far as the caller can tell.
    ///   - writeFields: Writes the fields.
    /// - Returns: The head, with the empty line; what is appended to it is the body.
    package static func response(
        status: Int,
        reason: String? = nil,
        room: Int = 256,
        _ writeFields: (inout HeadWriter) -> Void = { _ in }
    ) -> ByteBuffer {
        Self.head(room: room) { head in
            head.statusLine(status)
            head.text(reason ?? Self.reason(status))
            head.literal("\r\n")
            writeFields(&head)
            head.literal("\r\n")
        }
    }

    /// Makes the head of a response with the reason that another head has, byte for byte.
    ///
    /// - Parameters:
    ///   - head: The other head.
    ///   - spare: Memory that is used again if nobody else holds it.
    ///   - writeFields: Writes the fields.
    package static func response(
        like head: ResponseHead,
        spare: consuming ByteBuffer = ByteBuffer(),
        _ writeFields: (inout HeadWriter) -> Void
    ) -> ByteBuffer {
        Self.head(copying: head.section, room: 512, spare: consume spare) { output in
            output.statusLine(head.status)
            output.copy(head.reason)
            output.literal("\r\n")
            writeFields(&output)
            output.literal("\r\n")
        }
    }

    private mutating func statusLine(_ status: Int) {
        self.literal("HTTP/1.1 ")
        self.decimal(status)
        self.literal(" ")
    }

    // MARK: Bytes

    /// Adds bytes.
    package mutating func bytes(_ bytes: UnsafeRawBufferPointer) {
        let end = self.count + bytes.count
        if end <= self.memory.count {
            UnsafeMutableRawBufferPointer(rebasing: self.memory[self.count..<end]).copyMemory(from: bytes)
        }
        self.count = end
    }

    /// Adds one byte.
    package mutating func byte(_ byte: UInt8) {
        if self.count < self.memory.count { self.memory[self.count] = byte }
        self.count += 1
    }

    /// Adds a text that the program has.
    package mutating func literal(_ text: StaticString) {
        text.withUTF8Buffer { self.bytes(UnsafeRawBufferPointer($0)) }
    }

    /// Adds a text.
    package mutating func text(_ text: String) {
        let isContiguous: Void? = text.utf8.withContiguousStorageIfAvailable {
            self.bytes(UnsafeRawBufferPointer($0))
        }
        guard isContiguous == nil else { return }
        for byte in text.utf8 { self.byte(byte) }
    }

    /// Adds what a buffer holds.
    package mutating func buffer(_ buffer: ByteBuffer) {
        buffer.withUnsafeReadableBytes { self.bytes($0) }
    }

    /// Adds a number from 0 in decimal digits.
    package mutating func decimal(_ number: Int) {
        if number >= 10 { self.decimal(number / 10) }
        self.byte(UInt8(truncatingIfNeeded: 0x30 + number % 10))
    }

    /// Adds a number in lower-case hexadecimal digits, with zeros in front.
    package mutating func hexadecimal(_ number: UInt128) {
        for shift in stride(from: UInt128.bitWidth - 4, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: number >> UInt128(shift)) & 0x0F
            self.byte(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }

    /// Adds a text of which the caller reads each scalar as a byte (``FieldSection/latin1Text(_:)``).
    ///
    /// What is not Latin-1 is ours, such as a host that a proxy names: it is added as UTF-8, for cut to a byte it could
    /// become a CR.
    package mutating func latin1(_ text: String) {
        for scalar in text.unicodeScalars {
            if let byte = UInt8(exactly: scalar.value) { self.byte(byte) } else { self.text(String(scalar)) }
        }
    }

    // MARK: Fields

    /// Adds a range of the head that fields are copied from.
    package mutating func copy(_ span: FieldLine.Span) {
        let start = Int(span.start)
        self.bytes(UnsafeRawBufferPointer(rebasing: self.section[start..<start + Int(span.count)]))
    }

    /// Adds a field of that head, as it came but for white space around the value.
    package mutating func copy(_ line: FieldLine) {
        let (nameEnd, valueEnd) = (Int(line.name.start + line.name.count), Int(line.value.start + line.value.count))
        // Nearly every line is spelt as we would: one space after the colon and none at the end.
        if Int(line.value.start) == nameEnd + 2, self.section[nameEnd + 1] == 0x20, self.section[valueEnd] == 0x0D {
            self.bytes(UnsafeRawBufferPointer(rebasing: self.section[Int(line.name.start)..<valueEnd + 2]))
        } else {
            self.field(named: line) { $0.copy(line.value) }
        }
    }

    /// Adds a field with the name of one of that head's and a value of our own.
    package mutating func field(named line: FieldLine, _ write: (inout HeadWriter) -> Void) {
        self.copy(line.name)
        self.literal(": ")
        write(&self)
        self.literal("\r\n")
    }

    /// Adds a field; the caller makes sure that neither name nor value can end the line.
    package mutating func field(named name: String, _ value: String) {
        self.text(name)
        self.literal(": ")
        self.text(value)
        self.literal("\r\n")
    }

    /// Adds a field whose name the program has.
    package mutating func field(_ name: StaticString, _ value: String) {
        self.field(name) { $0.text(value) }
    }

    /// Adds a field whose value `write` adds.
    package mutating func field(_ name: StaticString, _ write: (inout HeadWriter) -> Void) {
        self.literal(name)
        self.literal(": ")
        write(&self)
        self.literal("\r\n")
    }

    /// The reason phrases of the statuses that the edge itself answers with; empty for others.
    package static func reason(_ status: Int) -> String {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 508: "Loop Detected"
        default: ""
        }
    }
}
