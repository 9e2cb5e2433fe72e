// SPDX-License-Identifier: Apache-2.0

import HTTP1

/// A command line of curl that sends the bytes of a captured request.
package struct CurlCommand: Sendable {
    /// The command for a POSIX shell.
    package let text: String

    /// Fields that curl makes itself.
    private static let own: Set<String> = ["content-length", "transfer-encoding", "connection", "expect", "host"]

    /// Writes a command.
    ///
    /// - Parameters:
    ///   - view: The request.
    ///   - base: The URL of the server without a path, as `http://localhost:3000`.
    ///   - socketPath: The socket to connect to, for a server that listens on one.
    ///   - sendsHost: Whether to send the captured `Host`.
    ///   - showsSecrets: Whether secrets are written; else a mask stands in their place.
    package init(
        _ view: ExchangeView,
        base: String,
        socketPath: String? = nil,
        sendsHost: Bool = true,
        showsSecrets: Bool
    ) {
        let target = showsSecrets ? view.target : SecretNames.maskedTarget(view.target)
        var words = ["curl", "--globoff", "--path-as-is"]
        if let socketPath { words += ["--unix-socket", Self.quoted(socketPath)] }
        let body = view.exchange.state.request.body
        let hasBody = !body.kept.isEmpty
        let defaultMethod = hasBody ? "POST" : "GET"
        if view.method == "HEAD" {
            words.append("--head")
        } else if view.method != defaultMethod {
            words += ["-X", Self.quoted(view.method)]
        }
        words.append(Self.quoted(base + (target.hasPrefix("/") ? target : "/")))
        var names: Set<String> = []
        for field in view.request.fields {
            let name = field.name.asciiLowercased()
            names.insert(name)
            guard !Self.own.contains(name) || name == "host" && sendsHost else { continue }
            let value = showsSecrets ? field.value : SecretNames.masked(field.name, field.value)
            // curl takes “Name;” for a field that is empty.
            words += ["-H", Self.quoted(value.isEmpty ? "\(field.name);" : "\(field.name): \(value)")]
        }
        // What curl would add by itself, and the request did not have.
        for name in ["Accept", "User-Agent"] where !names.contains(name.asciiLowercased()) {
            words += ["-H", Self.quoted("\(name):")]
        }
        if hasBody, !names.contains("content-type") { words += ["-H", Self.quoted("Content-Type:")] }
        if hasBody {
            words.append("-H")
            words.append(Self.quoted("Expect:"))
            words += Self.body(
                body.kept,
                isForm: view.request.mediaType == "application/x-www-form-urlencoded",
                showsSecrets
            )
        }
        let source = hasBody ? Self.source(of: body.kept) : nil
        self.text = (source.map { $0 + " | " } ?? "") + words.joined(separator: " ")
    }

    private static func isText(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil && !bytes.contains(0)
    }

    /// What writes a body that no argument can hold: printf takes any byte in octal.
    private static func source(of bytes: [UInt8]) -> String? {
        guard !Self.isText(bytes) else { return nil }
        let octal = bytes.map { byte -> String in
            let digits = String(byte, radix: 8)
            return "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
        }.joined()
        return "printf '\(octal)'"
    }

    private static func body(_ bytes: [UInt8], isForm: Bool, _ showsSecrets: Bool) -> [String] {
        guard Self.isText(bytes) else { return ["--data-binary", "@-"] }
        let text = String(decoding: bytes, as: UTF8.self)
        return ["--data-raw", Self.quoted(isForm && !showsSecrets ? SecretNames.maskedMembers(text) : text)]
    }

    /// A word that a shell reads as it is.
    private static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
