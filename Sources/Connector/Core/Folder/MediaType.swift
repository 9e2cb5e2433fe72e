// SPDX-License-Identifier: Apache-2.0

/// The media type of a file, by the end of its name.
enum MediaType {
    /// The value of `Content-Type`.
    static func of(_ name: String) -> String {
        guard let dot = name.lastIndex(of: ".") else { return self.unknown }
        return self.types[name[name.index(after: dot)...].lowercased()] ?? self.unknown
    }

    private static let unknown = "application/octet-stream"
    private static let types = [
        "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "txt": "text/plain; charset=utf-8", "md": "text/plain; charset=utf-8", "log": "text/plain; charset=utf-8",
        "csv": "text/csv; charset=utf-8", "xml": "application/xml", "json": "application/json",
        "map": "application/json", "webmanifest": "application/manifest+json", "pdf": "application/pdf",
        "wasm": "application/wasm", "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar",
        "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "webp": "image/webp", "avif": "image/avif", "ico": "image/x-icon", "mp3": "audio/mpeg", "m4a": "audio/mp4",
        "ogg": "audio/ogg", "wav": "audio/wav", "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime",
        "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
    ]
}
