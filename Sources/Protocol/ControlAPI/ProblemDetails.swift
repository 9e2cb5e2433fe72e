// SPDX-License-Identifier: Apache-2.0

/// An error of the control API: `application/problem+json` (RFC 9457).
package struct ProblemDetails: Codable, Equatable, Error, Sendable {
    /// The media type of the body.
    package static let mediaType = "application/problem+json"

    /// A URI that names the kind of problem.
    package var type: String
    /// A short summary of the kind of problem.
    package var title: String
    /// The HTTP status.
    package var status: Int
    /// What is wrong this time, in a sentence that a person can act on.
    package var detail: String?
    /// The stable code that programs may switch over; `docs/errors.md` lists them.
    package var code: String
    /// The member of the request's body, or the field or parameter, that is wrong.
    package var field: String?
    /// The id under which the edge logged the request.
    package var requestID: String?

    /// What the ``type`` of an edge's errors begins with that visitors of tunnels meet.
    private static let visitorType = "urn:culvert:error:"

    /// The codes of such errors that an edge has for any connection, before it knows what is asked for.
    package static let codesOfConnections: Set<String> = [
        "bad_request", "header_too_large", "request_timeout", "tls_required", "too_many_connections",
        "version_not_supported",
    ]

    /// Whether an edge says this to visitors of a tunnel alone: whoever meant the edge itself has a tunnel's address.
    package var isForVisitors: Bool {
        self.type.hasPrefix(Self.visitorType) && !Self.codesOfConnections.contains(self.code)
    }

    /// Makes a problem.
    package init(
        title: String,
        status: Int,
        code: String,
        detail: String? = nil,
        field: String? = nil,
        requestID: String? = nil
    ) {
        self.type = "urn:culvert:problem:\(code)"
        self.title = title
        self.status = status
        self.detail = detail
        self.code = code
        self.field = field
        self.requestID = requestID
    }

    private enum CodingKeys: String, CodingKey {
        case type
        case title
        case status
        case detail
        case code
        case field
        case requestID = "request_id"
    }
}
