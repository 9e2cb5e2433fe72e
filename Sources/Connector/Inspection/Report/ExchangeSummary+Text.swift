// SPDX-License-Identifier: Apache-2.0

import NIOCore

extension ExchangeSummary {
    /// Writes the JSON that `JSONEncoder` makes of this, with the members in a fixed order.
    ///
    /// A page is told of each exchange twice, and a list has 10 000 of them: the encoder takes thirty times as long.
    package func write(to text: inout ByteBuffer) {
        var object = JSONMembers(text)
        object.add("id", self.id)
        object.add("tunnel_name", self.tunnelName)
        object.add("start", number: self.start)
        object.add("method", self.method)
        object.add("path", self.path)
        object.add("query", self.query)
        object.add("status", number: self.status)
        object.add("state", self.state)
        object.add("error", self.error)
        object.add("duration_ms", number: self.durationMS)
        object.add("response_ms", number: self.responseMS)
        object.add("request_size", number: self.requestSize)
        object.add("response_size", number: self.responseSize)
        object.add("request_type", self.requestType)
        object.add("type", self.type)
        object.add("kind", self.kind)
        object.add("messages", number: self.messages)
        object.add("is_whole", number: self.isWhole)
        object.add("remote_addr", self.remoteAddress)
        object.add("replay_of", self.replayOf)
        object.add("is_imported", number: self.isImported)
        text = object.finish()
    }

    /// Writes an array of summaries.
    package static func write(_ summaries: some Sequence<ExchangeSummary>, to text: inout ByteBuffer) {
        text.writeInteger(UInt8(ascii: "["))
        var isFirst = true
        for summary in summaries {
            if !isFirst { text.writeInteger(UInt8(ascii: ",")) }
            isFirst = false
            summary.write(to: &text)
        }
        text.writeInteger(UInt8(ascii: "]"))
    }
}

/// The members of a JSON object (RFC 8259 §4) as they are written; what is `nil` is left out.
private struct JSONMembers {
    private var text: ByteBuffer
    private var isEmpty = true

    init(_ text: consuming ByteBuffer) {
        self.text = text
        self.text.writeInteger(UInt8(ascii: "{"))
    }

    /// Adds a text.
    mutating func add(_ name: StaticString, _ value: String?) {
        guard var value else { return }
        self.begin(name)
        self.text.writeInteger(UInt8(ascii: "\""))
        value.withUTF8 { self.write($0) }
        self.text.writeInteger(UInt8(ascii: "\""))
    }

    /// Adds a number or a truth value, of which Swift's text is that of JSON.
    mutating func add(_ name: StaticString, number value: (some CustomStringConvertible)?) {
        guard let value else { return }
        self.begin(name)
        self.text.writeString(value.description)
    }

    consuming func finish() -> ByteBuffer {
        self.text.writeInteger(UInt8(ascii: "}"))
        return self.text
    }

    private mutating func begin(_ name: StaticString) {
        if !self.isEmpty { self.text.writeInteger(UInt8(ascii: ",")) }
        self.isEmpty = false
        self.text.writeInteger(UInt8(ascii: "\""))
        self.text.writeStaticString(name)
        self.text.writeStaticString("\":")
    }

    /// Writes what is between the quotation marks, in runs of what needs no escape (RFC 8259 §7).
    private mutating func write(_ bytes: UnsafeBufferPointer<UInt8>) {
        var start = 0
        for index in bytes.indices {
            let byte = bytes[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            self.text.writeBytes(bytes[start..<index])
            start = index + 1
            if byte >= 0x20 {
                self.text.writeInteger(UInt8(ascii: "\\"))
                self.text.writeInteger(byte)
            } else {
                self.text.writeStaticString("\\u00")
                self.text.writeInteger(Self.digit(byte >> 4))
                self.text.writeInteger(Self.digit(byte & 0x0F))
            }
        }
        self.text.writeBytes(bytes[start...])
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x61 + value - 10 }
}
