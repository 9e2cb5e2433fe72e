// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Writes the head of a response (RFC 9112 §4): the only place where a status line is made.
package struct ResponseHeadWriter {
    /// The head as far as it is written.
    package private(set) var buffer: ByteBuffer

    /// Begins a head with the reason that the status is known by.
    ///
    /// - Parameters:
    ///   - status: From 100 to 999.
    ///   - reason: What stands behind the status; `nil` for the phrase of RFC 9110 §15.
    ///   - capacity: How many bytes the head and what follows in the same buffer will take.
    package init(status: Int, reason: String? = nil, capacity: Int = 256) {
        self.init(statusLineOf: status, capacity: capacity)
        self.buffer.writeString(reason ?? Self.reason(status))
        self.buffer.writeStaticString("\r\n")
    }

    /// Begins a head with the reason that another head has, byte for byte.
    package init(status: Int, reasonOf head: ResponseHead, capacity: Int) {
        self.init(statusLineOf: status, capacity: capacity)
        head.section.copy(head.reason, to: &self.buffer)
        self.buffer.writeStaticString("\r\n")
    }

    private init(statusLineOf status: Int, capacity: Int) {
        self.buffer = ByteBufferAllocator().buffer(capacity: capacity)
        self.buffer.writeStaticString("HTTP/1.1 ")
        self.buffer.writeString(String(status))
        self.buffer.writeStaticString(" ")
    }

    /// Adds a field; the caller makes sure that neither name nor value can end the line.
    package mutating func field(_ name: String, _ value: String) {
        self.buffer.writeString(name)
        self.buffer.writeStaticString(": ")
        self.buffer.writeString(value)
        self.buffer.writeStaticString("\r\n")
    }

    /// Adds a field of another head as it came.
    package mutating func field(_ line: FieldLine, of section: FieldSection) {
        section.copy(line, to: &self.buffer)
    }

    /// Adds a field with the name of another head's and a value of our own, of which `write` adds the bytes.
    package mutating func field(
        named line: FieldLine,
        of section: FieldSection,
        _ write: (inout ByteBuffer) -> Void
    ) {
        section.copy(line.name, to: &self.buffer)
        self.buffer.writeStaticString(": ")
        write(&self.buffer)
        self.buffer.writeStaticString("\r\n")
    }

    /// Adds a field whose value `write` adds.
    package mutating func field(_ name: StaticString, _ write: (inout ByteBuffer) -> Void) {
        self.buffer.writeStaticString(name)
        self.buffer.writeStaticString(": ")
        write(&self.buffer)
        self.buffer.writeStaticString("\r\n")
    }

    /// Ends the head; what is appended to the result is the body.
    package consuming func finish() -> ByteBuffer {
        self.buffer.writeStaticString("\r\n")
        return self.buffer
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
