// SPDX-License-Identifier: Apache-2.0

import HTTPTypes

/// The calls of the API, to tell a wrong method (405, with `Allow`) from a wrong path (404).
struct RouteTable: Sendable {
    /// One call.
    struct Route: Hashable, Sendable {
        /// The method.
        var method: HTTPRequest.Method
        /// The path, with its parameters in braces: `/api/tunnels/{id}/status`.
        var path: String
    }

    /// The calls, ordered by path and method.
    let routes: [Route]

    /// Makes a table of the router's routes.
    init(_ routes: [(HTTPRequest.Method, String)]) {
        self.routes = routes.map { method, path in
            Route(method: method, path: path.hasPrefix("/") ? path : "/\(path)")
        }
        .sorted { ($0.path, $0.method.rawValue) < ($1.path, $1.method.rawValue) }
    }

    /// Lets a request pass if there is a route for it.
    ///
    /// - Throws: ``Problem/notFound`` or ``Problem/methodNotAllowed(allowed:)``.
    func check(_ request: HTTPRequest) throws {
        let path = (request.path ?? "").prefix { $0 != "?" }
        let matching = self.routes.filter { Self.matches(path, pattern: $0.path) }
        // As in the router: a path that is spelt out is that call, not a parameter of another one.
        let spelledOut = matching.filter { $0.path == path }
        let methods = (spelledOut.isEmpty ? matching : spelledOut).map(\.method)
        guard !methods.isEmpty else { throw Problem.notFound }
        guard methods.contains(request.method) else { throw Problem.methodNotAllowed(allowed: methods) }
    }

    private static func matches(_ path: Substring, pattern: String) -> Bool {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        let wanted = pattern.split(separator: "/", omittingEmptySubsequences: false)
        return segments.count == wanted.count
            && zip(segments, wanted).allSatisfy { $0 == $1 || ($1.hasPrefix("{") && !$0.isEmpty) }
    }
}
