// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Program

/// Several tunnels from one YAML file.
///
/// ```yaml
/// edge: https://edge.example.com
/// api-key-file: /etc/culvert/key
/// connections: 2
/// inspect: 127.0.0.1:4040
/// tunnels:
///   - name: my-app
///     target: 3000
///     policy:
///       path-mode: keep
///       ip-allow: [192.0.2.0/24]
///   - token-file: /etc/culvert/token
///     target: https://localhost:8443
///     origin-ca-file: /etc/culvert/origin.pem
/// ```
struct TunnelsFile: Equatable, Sendable {
    /// One tunnel of the file.
    struct Entry: Equatable, Sendable {
        var target: OriginTarget
        var name: String?
        /// The port of the edge to ask for.
        var port: UInt16?
        /// Whether visitors need an access token.
        var isPrivate = false
        /// Whether others may serve it, too.
        var pools = false
        /// A file with the token of a tunnel that exists; without one, a tunnel is created.
        var tokenFile: String?
        /// The token in ``tokenFile``.
        var token: TunnelToken?
        var policy = TunnelPolicy()
        var originTrust = OriginTrust(settings: .file)
        /// Whether the requests may be kept, where there is an inspector.
        var isInspected = true
        /// The tunnel's inbox at the edge; `nil` leaves the one that it may have as it is.
        var inbox: InboxSettings?
        /// Where it begins in the file.
        var line: Int?
    }

    var edge: EdgeAddress?
    var apiKeyFile: String?
    var connections: Int?
    /// Whether the tunnels share their connections; the default is that they do.
    var sharesConnections: Bool?
    /// What is said about the inspector; it holds from the start of the program to its end.
    var inspect = InspectSettings()
    var tunnels: [Entry] = []
    /// The files with secrets and certificates that are named, in the order of the file.
    var namedFiles: [String] = []

    /// The largest file that is read.
    static let largestFile = 1 << 20
    /// The most tunnels that a file may have.
    static let mostTunnels = SharedSession.maximumTunnels
    /// How many connections a tunnel keeps by default.
    static let defaultConnections = 2

    /// Reads a file, and reports everything that is wrong with it at once.
    ///
    /// - Throws: ``CommandFailure`` with a line for each problem.
    init(reading path: String) throws(CommandFailure) {
        let text = try Self.text(of: path)
        do {
            self = try TunnelsFile(text: text, of: path)
        } catch {
            throw CommandFailure(.configuration, error.report(for: path))
        }
    }

    /// Reads the text of a file.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - path: The file, in whose folder the relative paths start.
    init(text: String, of path: String) throws(Problems) {
        try self.init(yaml: text, folder: path == "-" ? "" : (path as NSString).deletingLastPathComponent)
        // A password that stands in the file makes it one of those that nobody else may read.
        let isSecret = path != "-" && text.contains(/(^|[\s{,])password:/)
        let exposed = self.exposedFiles(beside: isSecret ? [path] : [])
        guard exposed.isEmpty else { throw Problems(list: exposed) }
    }

    /// The files of secrets that lie in a folder which a tunnel shares, where every visitor could read them.
    private func exposedFiles(beside more: [String]) -> [Problem] {
        let folders = self.tunnels.compactMap(\.target.folder)
        return (self.namedFiles + more).compactMap { file in
            folders.first { FolderServer.shares(file, in: $0) }.map { folder in
                Problem(
                    line: nil,
                    message:
                        "\(PeerText.printable(file)) lies in \(PeerText.printable(folder)), which a tunnel shares, where "
                        + "every visitor could read it: put it elsewhere."
                )
            }
        }
    }

    /// The text of a file.
    ///
    /// - Throws: ``CommandFailure`` if it can't be one of tunnels.
    static func text(of path: String) throws(CommandFailure) -> String {
        let data: Data
        do {
            data = try BoundedFile.read(path, limit: Self.largestFile)
        } catch {
            throw CommandFailure(
                .configuration,
                error == .tooLarge
                    ? "\(BoundedFile.subject(path)) has more than 1 MiB: it can't be a file of tunnels."
                    : "\(BoundedFile.subject(path)) can't be read: \(FileFault.words(path))."
            )
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw CommandFailure(.configuration, "\(BoundedFile.subject(path)) is not UTF-8 text.")
        }
        return text
    }
}

extension TunnelsFile {
    /// Something that is wrong in a file, and its line.
    struct Problem: Error, Equatable, Encodable, CustomStringConvertible {
        /// The line in the file, from 1; `nil` if it concerns the whole file.
        var line: Int?
        /// Whole sentences: what is wrong, and what to do.
        var message: String

        var description: String { self.located(in: "") }

        /// The problem as compilers write it: `file:line: message`.
        func located(in path: String) -> String {
            self.line.map { "\(path):\($0): \(self.message)" } ?? "\(path): \(self.message)"
        }
    }

    /// Everything that is wrong with a file.
    struct Problems: Error, Equatable {
        var list: [Problem]

        /// The most problems that are listed.
        static let mostShown = 50

        /// One line a problem, in the order of the file.
        func report(for path: String) -> String {
            let path = BoundedFile.name(of: path)
            var lines = self.list.prefix(Self.mostShown).map { $0.located(in: path) }
            if self.list.count > Self.mostShown {
                lines.append("\(path): There are \(self.list.count - Self.mostShown) more problems.")
            }
            return lines.joined(separator: "\n")
        }
    }
}
