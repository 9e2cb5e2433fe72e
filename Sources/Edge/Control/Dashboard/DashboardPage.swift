// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import NIOCore

/// The files of the dashboard's page, which are a part of the program.
enum DashboardPage {
    /// A file of the page.
    struct File: Sendable {
        var name: String
        var content: StaticString
        /// Changes with the content.
        var tag: String
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    ]

    /// The file of a name; none stands for the page itself.
    static func file(_ name: Substring) -> File? {
        let name = name.isEmpty ? "index.html" : name
        return DashboardPageFiles.all.first { $0.name == name }
    }

    /// The answer to who asks for a file.
    static func answer(_ file: File, ifNoneMatch: String?) -> Response {
        let tag = "\"\(file.tag)\""
        let ending = file.name.split(separator: ".").last.map(String.init) ?? ""
        let headers: HTTPFields = [
            .contentType: Self.types[ending] ?? "application/octet-stream", .eTag: tag, .cacheControl: "no-cache",
        ]
        if ifNoneMatch == tag { return Response(status: .notModified, headers: headers) }
        let bytes = file.content.withUTF8Buffer { ByteBuffer(bytes: $0) }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: bytes))
    }
}
