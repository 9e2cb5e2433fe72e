// SPDX-License-Identifier: Apache-2.0
import NIOCore

@testable import HTTP1

/// The parser of heads, of requests and of responses.
///
/// It gives the same however its bytes are split, what it accepts is well-formed and reads the same again, and llhttp,
/// unless it refuses, reads no other message in it. Responses may be odd where there is one meaning: what their values
/// must not hold is what would end a line.
enum HTTP1Fuzz {
    private struct Limits {
        var bytes: Int
        var fields: Int
    }

    static func check(_ input: [UInt8]) throws {
        var reader = InputReader(input)
        let isRequest = reader.byte() & 1 == 0
        let limits = reader.element(of: [
            Limits(bytes: 64 << 10, fields: 128), Limits(bytes: 300, fields: 8), Limits(bytes: 64, fields: 2),
        ])
        let seed = reader.byte()
        let bytes = ByteBuffer(bytes: reader.rest())
        var first: Outcome?
        for pieces in Pieces.all(of: bytes, seed: seed) {
            let outcome = self.read(pieces, isRequest, limits)
            try Finding.unless(
                first == nil || first == outcome,
                "splitting the bytes changes what is read: \(String(describing: first)), \(outcome)"
            )
            first = first ?? outcome
        }
        guard case .head(let head, _) = first else { return }
        try self.checkForm(head, limits)
        let again = self.read([head.bytes], isRequest, limits)
        try Finding.unless(again == .head(head, leftover: ByteBuffer()), "read again, the head is \(again)")
        try LlhttpOracle.check(head)
    }

    private enum Outcome: Equatable {
        case needsMore
        case fault(HTTPFault)
        case head(SeenHead, leftover: ByteBuffer)
    }

    private static func read(_ pieces: [ByteBuffer], _ isRequest: Bool, _ limits: Limits) -> Outcome {
        var parser = HeadParser(maximumBytes: limits.bytes, maximumFields: limits.fields)
        var buffer = ByteBuffer()
        for (index, piece) in pieces.enumerated() {
            buffer.writeImmutableBuffer(piece)
            do throws(HTTPFault) {
                var head: SeenHead?
                if isRequest {
                    if let request = try parser.request(&buffer) { head = SeenHead(request: request) }
                } else if let response = try parser.response(&buffer) {
                    head = try SeenHead(response: response)
                }
                guard let head else { continue }
                for late in pieces[(index + 1)...] { buffer.writeImmutableBuffer(late) }
                return .head(head, leftover: buffer)
            } catch {
                return .fault(error)
            }
        }
        return .needsMore
    }

    private static func checkForm(_ head: SeenHead, _ limits: Limits) throws {
        try Finding.unless(head.bytes.readableBytes <= limits.bytes, "the head is longer than it may be")
        try Finding.unless(head.fields.count <= limits.fields, "the head has more fields than it may have")
        for value in head.fields.map(\.value) where !head.isRequest {
            try Finding.unless(
                value.unicodeScalars.allSatisfy { $0 != "\0" && $0 != "\r" && $0 != "\n" },
                "the end of a line in \(String(reflecting: value))"
            )
        }
        for text in head.start + (head.isRequest ? head.fields.map(\.value) : []) {
            try Finding.unless(
                text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 },
                "a control character in \(String(reflecting: text))"
            )
        }
        for field in head.fields {
            try Finding.unless(
                field.name.withUTF8Bytes(ByteClass.isToken),
                "a field's name is \(String(reflecting: field.name))"
            )
            try Finding.unless(
                field.value == field.value.trimmingSpaces(),
                "white space around \(String(reflecting: field.value))"
            )
        }
        let lengths = head.values("content-length")
        let codings = head.values("transfer-encoding")
        switch head.framing {
        case .none where head.isRequest, .untilClose:
            try Finding.unless(codings.isEmpty && lengths.allSatisfy { Int($0) == 0 }, "a body is overlooked")
        case .none: break
        case .length(let length):
            let said = lengths.flatMap { $0.split(separator: ",") }.map { UInt64($0.trimmingSpaces()) }
            try Finding.unless(codings.isEmpty && Set(said) == [length], "a length is misread")
            try Finding.unless(!head.isRequest || lengths.count == 1 && said.count == 1, "a length is repeated")
        case .chunked:
            try Finding.unless(
                !head.isRequest || lengths.isEmpty && codings.count == 1,
                "chunked beside another framing"
            )
            try Finding.unless(codings.allSatisfy { $0.asciiLowercased() == "chunked" }, "another coding is overlooked")
        }
        if head.isRequest {
            try Finding.unless(!head.start[1].isEmpty && !head.start[1].contains(" "), "the target is not one")
            let hosts = head.values("host").count
            try Finding.unless(hosts == 1 || hosts == 0 && head.isHTTP10, "a request with \(hosts) Host fields")
        }
    }
}

/// A head in a form that can be compared.
struct SeenHead: Equatable {
    struct Field: Equatable {
        var name: String
        var value: String
    }

    var isRequest: Bool
    /// Method and target, or status and reason.
    var start: [String]
    var isHTTP10: Bool
    var fields: [Field]
    /// How the body is delimited; of a response to GET.
    var framing: BodyFraming
    /// The head as it came.
    var bytes: ByteBuffer

    init(request head: RequestHead) {
        self.isRequest = true
        self.start = [head.methodText, head.section.latin1Text(head.target)]
        self.isHTTP10 = head.version == .http10
        self.framing = head.framing
        self.fields = Self.fields(head.section)
        self.bytes = head.section.bytes
    }

    init(response head: ResponseHead) throws(HTTPFault) {
        self.isRequest = false
        self.start = ["\(head.status)", head.section.latin1Text(head.reason)]
        self.isHTTP10 = head.version == .http10
        self.framing = try BodyFraming.response(
            head.section,
            status: head.status,
            version: head.version,
            isHead: false
        )
        self.fields = Self.fields(head.section)
        self.bytes = head.section.bytes
    }

    private static func fields(_ section: FieldSection) -> [Field] {
        section.lines.map { Field(name: section.latin1Text($0.name), value: section.latin1Text($0.value)) }
    }

    func values(_ name: String) -> [String] {
        self.fields.filter { $0.name.asciiLowercased() == name }.map(\.value)
    }
}

extension String {
    fileprivate func withUTF8Bytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        var text = self
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
