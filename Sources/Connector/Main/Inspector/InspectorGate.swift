// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Hummingbird
import Inspection
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Lets in whom the guard allows, writes problems, and gives every answer the fields that keep it from being used by
/// other pages.
struct InspectorGate: RouterMiddleware {
    typealias Context = InspectorContext

    private let rules: InspectorGuard

    init(_ rules: InspectorGuard) {
        self.rules = rules
    }

    /// What the page may do: it shows what strangers sent.
    static let contentSecurityPolicy = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
        frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'
        """

    func handle(
        _ request: Request,
        context: InspectorContext,
        next: (Request, InspectorContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            switch self.rules.judge(Self.facts(of: request, context)) {
            case .allow: response = try await next(request, context)
            case .signIn(let cookie):
                response = Response(status: .seeOther, headers: [.location: "/", .setCookie: cookie])
            case .refuse(let problem): response = Self.answer(problem)
            }
        } catch let problem as ProblemDetails {
            response = Self.answer(problem)
        } catch let error as HTTPError where error.status == .notFound {
            response = Self.answer(.inspector(404, "not_found", "The inspector has nothing at \(request.uri.path)."))
        } catch let error as HTTPError where error.status == .contentTooLarge {
            response = Self.answer(.inspector(413, "body_too_large", "The call is longer than is read."))
        }
        response.headers[.contentSecurityPolicy] =
            response.headers[.contentSecurityPolicy] ?? Self.contentSecurityPolicy
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "no-referrer"
        response.headers[.crossOriginResourcePolicy] = "same-origin"
        response.headers[.crossOriginOpenerPolicy] = "same-origin"
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        return response
    }

    private static func facts(of request: Request, _ context: InspectorContext) -> InspectorGuard.Request {
        InspectorGuard.Request(
            method: request.method.rawValue,
            path: request.uri.path,
            host: request.head.authority,
            fields: request.headers.map { ($0.name.canonicalName, $0.value) },
            queryToken: request.uri.queryParameters.get("token"),
            isSameUser: Self.isSameUser(context)
        )
    }

    /// Whether the client runs as our user or as root; `nil` where nobody can say.
    private static func isSameUser(_ context: InspectorContext) -> Bool? {
        guard let client = context.clientAddress, let server = context.serverAddress else { return nil }
        // Who comes from another machine has shown the token.
        guard client.ipAddress.map({ $0.hasPrefix("127.") || $0 == "::1" || $0.hasPrefix("::ffff:127.") }) == true
        else {
            return nil
        }
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].compactMap(Self.table)
        guard !tables.isEmpty else { return nil }
        guard let user = SocketOwner.userID(local: client, remote: server, tables: tables) else { return false }
        return user == 0 || user == geteuid()
    }

    /// The text of a file of the kernel, which has no size and comes in pieces: Foundation reads the first one.
    private static func table(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0, bytes.count < Self.longestTable else { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece.prefix(count)
        }
    }

    /// As long as the table of a hundred thousand connections.
    private static let longestTable = 16 << 20

    private static func answer(_ problem: ProblemDetails) -> Response {
        let body = (try? InspectorJSON.buffer(problem)) ?? ByteBuffer()
        return Response(
            status: HTTPResponse.Status(code: problem.status),
            headers: [.contentType: ProblemDetails.mediaType],
            body: ResponseBody(byteBuffer: body)
        )
    }
}

/// The inspector's JSON.
enum InspectorJSON {
    /// Writes a value.
    static func buffer(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return ByteBuffer(bytes: try encoder.encode(value))
    }

    /// An answer with a value.
    static func answer(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: try Self.buffer(value))
        )
    }

    /// An answer with a list of lines, as ``ListAnswer`` has it.
    static func answer(withLines summaries: some Sequence<ExchangeSummary>) -> Response {
        var text = ByteBuffer(string: #"{"uri":"/api/requests/http","requests":"#)
        ExchangeSummary.write(summaries, to: &text)
        text.writeStaticString("}")
        return Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: text)
        )
    }
}

extension HTTPField.Name {
    /// A name that is known to be one.
    private static func known(_ name: String, or other: HTTPField.Name) -> HTTPField.Name {
        HTTPField.Name(name) ?? other
    }

    static let contentSecurityPolicy = known("Content-Security-Policy", or: .xContentTypeOptions)
    static let referrerPolicy = known("Referrer-Policy", or: .xContentTypeOptions)
    static let crossOriginResourcePolicy = known("Cross-Origin-Resource-Policy", or: .xContentTypeOptions)
    static let crossOriginOpenerPolicy = known("Cross-Origin-Opener-Policy", or: .xContentTypeOptions)
    static let culvertCoding = known("Culvert-Coding", or: .contentEncoding)
    static let culvertReplays = known("Culvert-Replays", or: .contentLocation)
}
