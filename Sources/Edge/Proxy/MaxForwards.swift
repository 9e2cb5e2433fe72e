// SPDX-License-Identifier: Apache-2.0
import HTTP1
import HTTPTypes
import NIOCore

/// How far an OPTIONS or TRACE is to go (RFC 9110 §7.6.2); for other methods the field means nothing here.
enum MaxForwards: Equatable {
    case unlimited
    /// The edge is to answer as if it were the origin.
    case endsHere
    /// The next hop is to be told so much.
    case next(Int)

    init(_ head: RequestHead) {
        guard head.section.contains(.maxForwards), let text = head.section.first(.maxForwards),
            head.hasMethod("OPTIONS") || head.hasMethod("TRACE"),
            let count = UInt32(text), text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else {
            self = .unlimited
            return
        }
        self = count == 0 ? .endsHere : .next(Int(count) - 1)
    }

    /// What the edge answers: to TRACE the request as it came, but for what is secret in it (RFC 9110 §9.3.8).
    static func answer(_ head: RequestHead) -> EdgeAnswer.Content {
        guard head.hasMethod("TRACE") else {
            return .whole(HTTPResponse(status: .ok), ByteBuffer(), isLast: false)
        }
        let section = head.section
        let body = HeadWriter.head(copying: section, room: 0) { body in
            body.copy(head.method)
            body.literal(" ")
            body.copy(head.target)
            body.literal(head.version == .http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")
            for line in section.lines where !Self.isSecret(section.text(line.name).asciiLowercased()) {
                body.copy(line)
            }
            body.literal("\r\n")
        }
        return .whole(HTTPResponse(status: .ok, headerFields: [.contentType: "message/http"]), body, isLast: false)
    }

    private static func isSecret(_ name: String) -> Bool {
        name == "authorization" || name == "proxy-authorization" || name == "cookie"
    }
}
