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
        for file in edge == nil ? [path] : [path, replaced] {
            guard FileManager.default.fileExists(atPath: file) else { continue }
            // One that can't be read is of no edge that could be named, and goes with what is in use.
            let login = try? LoginFile.read(at: file)
            if let edge, login.flatMap({ try? EdgeAddress(parsing: $0.edge) }) != edge { continue }
            guard (try? FileManager.default.removeItem(atPath: file)) != nil else {
                throw CommandFailure(.configuration, "The login file \(file) can't be removed.")
            }
            let whose = (login?.edge ?? edge?.description).map { " of \($0)" } ?? ""
            lines.append("Logged out: the login\(whose) is removed from \(file).")
        }
        if lines.isEmpty {
            lines = ["Nothing to remove: no login\(edge.map { " of \($0)" } ?? "") is stored in \(path)."]
        } else {
            lines.append("The edge still takes the key: whoever runs it ends it by culvert-edge credentials revoke.")
        }
        if edge == nil, let login = try? LoginFile.read(at: replaced) {
            lines.append(
                "That of \(login.edge) is still in \(replaced): culvert logout --edge \(login.edge) removes it."
            )
        }
        return lines
    }

    /// What other commands use all the same; `nil` if that is nothing.
    static func noteOfVariable(_ environment: [String: String]) -> String? {
        guard LoginCommand.hasKey(environment) else { return nil }
        return "CULVERT_API_KEY is set in this shell, and other commands go on with it: unset CULVERT_API_KEY."
    }
}
