// SPDX-License-Identifier: Apache-2.0

import NIOHTTP1

/// What a shared folder answers to a request, decided without a socket.
struct FolderAnswer: Sendable {
    /// What follows the head.
    enum Body: Sendable {
        case none
        case text(String)
        case part(SharedFile, Range<Int>)
    }

    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    var body: Body

    /// Decides; looks into the folder, which blocks.
    init(to request: HTTPRequestHead, from folder: SharedFolder) {
        guard request.method == .GET || request.method == .HEAD else {
            self.init(.methodNotAllowed, "Only GET and HEAD are possible here.")
            self.headers.add(name: "Allow", value: "GET, HEAD")
            return
        }
        guard let path = FolderPath(target: request.uri), let found = folder.find(path) else {
            if folder.isThere {
                // A URL that ends with a slash, and a path behind it that begins with one.
                let isDoubled = request.uri.hasPrefix("/") && request.uri.prefix { $0 != "?" }.contains("//")
                self.init(
                    .notFound,
                    isDoubled ? "There is no such file: the path has two slashes in a row." : "There is no such file."
                )
            } else {
                self.init(.serviceUnavailable, "The folder that is shared here is not there now.")
            }
            return
        }
        switch found {
        case .file(let file) where SharedSecret.isIn(file, named: path.names.last ?? ""):
            self.init(.forbidden, "This file holds a key or a token, and is not shared.")
        case .file(let file):
            self.init(file, named: path.names.last ?? "", to: request)
        case .folder(let place):
            guard path.hasSlash else {
                // The path as it came, so that no byte of it changes; it begins with one slash, and names no host.
                let cut = request.uri.firstIndex(of: "?") ?? request.uri.endIndex
                self.init(.permanentRedirect, "")
                self.headers.add(name: "Location", value: "\(request.uri[..<cut])/\(request.uri[cut...])")
                return
            }
            if let index = folder.index(of: place) {
                self.init(index, named: "index.html", to: request)
                return
            }
            let (entries, isCut) = folder.list(place)
            self.init(.ok, FolderListing.page(path, entries, isCut: isCut), type: "text/html; charset=utf-8")
            self.headers.add(name: "Content-Security-Policy", value: "default-src 'none'; style-src 'unsafe-inline'")
            self.headers.add(name: "Cache-Control", value: "no-cache")
        }
    }

    private init(_ status: HTTPResponseStatus, _ text: String, type: String = "text/plain; charset=utf-8") {
        self.status = status
        self.headers = [
            "Content-Type": type, "Content-Length": "\(text.utf8.count)", "X-Content-Type-Options": "nosniff",
        ]
        self.body = .text(text)
    }

    private init(_ file: SharedFile, named name: String, to request: HTTPRequestHead) {
        let tag = "\"\(String(file.size, radix: 16))-\(String(file.modifiedAt, radix: 16))\""
        let date = SharedFile.date(file.modifiedAt)
        self.init(.ok, "")
        self.headers = [
            "Content-Type": MediaType.of(name), "X-Content-Type-Options": "nosniff", "ETag": tag,
            "Last-Modified": date, "Accept-Ranges": "bytes", "Cache-Control": "no-cache",
        ]
        self.body = .none
        guard !Self.isKnown(request, tag: tag, date: date) else {
            self.status = .notModified
            return
        }
        // If-Range: a part is of use to who has the rest of the same file (RFC 9110 §13.1.5).
        let holdsRest = request.headers.first(name: "If-Range").map { $0 == tag } ?? true
        let range = request.method == .GET && holdsRest ? request.headers.first(name: "Range") : nil
        var bytes = 0..<file.size
        switch ByteRange(range, size: file.size) {
        case .whole: break
        case .part(let part):
            bytes = part
            self.status = .partialContent
            self.headers.add(
                name: "Content-Range",
                value: "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(file.size)"
            )
        case .unsatisfiable:
            self = FolderAnswer(.rangeNotSatisfiable, "The file has \(file.size) bytes.")
            self.headers.add(name: "Content-Range", value: "bytes */\(file.size)")
            return
        }
        self.headers.add(name: "Content-Length", value: "\(bytes.count)")
        self.body = .part(file, bytes)
    }

    /// Whether the visitor has the file already (RFC 9110 §13.1.2, §13.1.3).
    private static func isKnown(_ request: HTTPRequestHead, tag: String, date: String) -> Bool {
        let tags = request.headers[canonicalForm: "If-None-Match"]
        guard tags.isEmpty else {
            return tags.contains { $0 == "*" || $0 == tag || $0 == "W/" + tag }
        }
        return request.headers.first(name: "If-Modified-Since") == date
    }
}
