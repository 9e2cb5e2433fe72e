// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import NIOCore

/// The files of the inspector's page, which are a part of the program.
enum InspectorPage {
    /// A file of the page.
    struct File: Sendable {
        var name: String
        var content: StaticString
        /// Changes with the content.
        var tag: String
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml", "txt": "text/plain; charset=utf-8",
    ]

    /// Adds the files.
    static func add(to router: Router<InspectorContext>) {
        for file in InspectorPageFiles.all {
            router.get(RouterPath(file.name)) { request, _ in Self.answer(file, request) }
            if file.name == "index.html" { router.get("/") { request, _ in Self.answer(file, request) } }
        }
    }

    private static func answer(_ file: File, _ request: Request) -> Response {
        let tag = "\"\(file.tag)\""
        let ending = file.name.split(separator: ".").last.map(String.init) ?? ""
        let headers: HTTPFields = [
            .contentType: Self.types[ending] ?? "application/octet-stream", .eTag: tag, .cacheControl: "no-cache",
        ]
        if request.headers[.ifNoneMatch] == tag { return Response(status: .notModified, headers: headers) }
        let bytes = file.content.withUTF8Buffer { ByteBuffer(bytes: $0) }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: bytes))
    }
}
