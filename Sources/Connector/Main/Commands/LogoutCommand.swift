// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Program

/// `culvert logout`: forgets the edge and the API key of `culvert login`.
struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "Remove the edge and the API key that login has stored.",
        usage: "culvert logout [--edge <url>]",
        discussion: """
            The key is removed from this machine, and stays good at the edge: whoever runs that revokes it. Without \
            --edge the login that is in use is removed; with it, that of this edge alone, also one that a later login \
            has replaced.

            Examples:
              culvert logout
              culvert logout --edge https://edge.example.com
            """
    )

    @Option(help: ArgumentHelp("Remove the login of this edge alone.", valueName: "url"))
    var edge: String?

    /// The edge without its flag, as `culvert login` has it.
    @Argument(help: .hidden)
    var place: String?

    func validate() throws {
        guard self.edge == nil || self.place == nil else {
            throw ValidationError("The edge is named twice: by --edge, and without it.")
        }
    }

    func run() async throws {
        try await self.reportingFailures {
            let environment = ProgramEnvironment.variables
            guard let path = LoginFile.path(environment: environment) else {
                throw CommandFailure(.configuration, "HOME is not set, so that there is no place for the login file.")
            }
            let lines = try Self.remove((self.edge ?? self.place).map(EdgeAccess.address), at: path)
            StandardStream.output.writeLine(lines.map(ShownText.stripped).joined(separator: "\n"))
            if let note = Self.noteOfVariable(environment) { StandardStream.error.writeLine("culvert: \(note)") }
        }
    }

    /// Removes what is stored.
    ///
    /// - Parameters:
    ///   - edge: The edge whose login is removed; `nil` for that in use, whatever its edge is.
    ///   - path: The login file.
    /// - Returns: What is said of it.
    static func remove(_ edge: EdgeAddress?, at path: String) throws(CommandFailure) -> [String] {
        let replaced = LoginFile.replacedPath(of: path)
        var lines: [String] = []
        var isAnyUnreadable = false
        var isAnyRemoved = false
        for file in edge == nil ? [path] : [path, replaced] {
            guard FileManager.default.fileExists(atPath: file) else { continue }
            // Whoever else can read it: a key that others see is the first to go.
            let login = LoginFile.decoded(at: file)
            if let edge {
                guard let login else {
                    isAnyUnreadable = true
                    lines.append(Self.unreadable(file))
                    continue
                }
                guard (try? EdgeAddress(parsing: login.edge)) == edge else { continue }
            }
            try Self.delete(file)
            isAnyRemoved = true
            let whose = (login?.edge ?? edge?.description).map { " of \($0)" } ?? ""
            lines.append("Logged out: the login\(whose) is removed from \(file).")
        }
        // A login that was interrupted has left its key there.
        let unfinished = LoginFile.unfinishedPath(of: path)
        if Self.isOf(edge, unfinished) {
            try Self.delete(unfinished)
            isAnyRemoved = true
            lines.append("Logged out: what an interrupted login left is removed from \(unfinished).")
        }
        if isAnyRemoved {
            lines.append("The edge still takes the key: whoever runs it ends it by culvert-edge credentials revoke.")
        } else if !isAnyUnreadable {
            lines = ["Nothing to remove: no login\(edge.map { " of \($0)" } ?? "") is stored in \(path)."]
        }
        if edge == nil, FileManager.default.fileExists(atPath: replaced) {
            guard let login = LoginFile.decoded(at: replaced) else { return lines + [Self.unreadable(replaced)] }
            lines.append(
                "That of \(login.edge) is still in \(replaced): culvert logout --edge \(login.edge) removes it."
            )
        }
        return lines
    }

    /// Whether a file of an interrupted login goes: unless it is whole, and of another edge than the one that is named.
    private static func isOf(_ edge: EdgeAddress?, _ file: String) -> Bool {
        guard FileManager.default.fileExists(atPath: file) else { return false }
        guard let edge, let login = LoginFile.decoded(at: file) else { return true }
        return (try? EdgeAddress(parsing: login.edge)) == edge
    }

    private static func unreadable(_ file: String) -> String {
        "\(file) is there, too, and says no edge: remove it if its key is no longer needed."
    }

    /// Deletes a file, and with a link to it what it leads to: that has the key.
    private static func delete(_ file: String) throws(CommandFailure) {
        let files = FileManager.default
        let isLink = (try? files.destinationOfSymbolicLink(atPath: file)) != nil
        for file in isLink ? [(file as NSString).resolvingSymlinksInPath, file] : [file]
        where (try? files.removeItem(atPath: file)) == nil {
            throw CommandFailure(.configuration, "The login file \(file) can't be removed.")
        }
    }

    /// What other commands use all the same; `nil` if that is nothing.
    static func noteOfVariable(_ environment: [String: String]) -> String? {
        guard LoginCommand.hasKey(environment) else { return nil }
        return "CULVERT_API_KEY is set in this shell, and other commands go on with it: unset CULVERT_API_KEY."
    }
}
