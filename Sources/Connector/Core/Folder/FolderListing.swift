// SPDX-License-Identifier: Apache-2.0

/// The page that lists a folder.
enum FolderListing {
    /// Writes the page; links are relative, so that they hold below any prefix.
    ///
    /// - Parameters:
    ///   - path: The folder's path.
    ///   - entries: What is shared of it.
    ///   - isCut: Whether there is more.
    static func page(_ path: FolderPath, _ entries: [SharedFolder.Entry], isCut: Bool) -> String {
        let title = self.escaped("/" + path.names.map { $0 + "/" }.joined())
        var rows = path.names.isEmpty ? "" : "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n"
        for entry in entries {
            let slash = entry.isFolder ? "/" : ""
            // A colon in the first name of a relative link would make a scheme of it (RFC 3986 §4.2); it is encoded.
            let link = FolderPath.encoded(entry.name) + slash
            rows += "<tr><td><a href=\"\(link)\">\(self.escaped(entry.name))\(slash)</a></td>"
            rows += "<td>\(entry.isFolder ? "" : self.size(entry.size))</td>"
            rows += "<td>\(SharedFile.date(entry.modifiedAt))</td></tr>\n"
        }
        let note = isCut ? "<p>There is more: the first \(entries.count) are shown.</p>" : ""
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <title>\(title)</title><style>
            :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
            body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
            table { width: 100%; border-spacing: 0 } td { padding: .2rem .5rem; border-bottom: 1px solid #8884 }
            td:first-child { overflow-wrap: anywhere } td + td { text-align: right; white-space: nowrap; opacity: .7 }
            </style></head><body><h1>\(title)</h1>
            <table>
            \(rows)</table>\(note)</body></html>

            """
    }

    private static func size(_ bytes: Int) -> String {
        var (value, unit) = (bytes * 10, 0)
        while value >= 10_240, unit < 4 {
            value /= 1_024
            unit += 1
        }
        let name = ["B", "KiB", "MiB", "GiB", "TiB"][unit]
        return unit == 0 || value >= 1_000 ? "\(value / 10) \(name)" : "\(value / 10).\(value % 10) \(name)"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
