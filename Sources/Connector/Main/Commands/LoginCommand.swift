// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// `culvert login`: stores the edge and the API key.
struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Store an edge and an API key for the other commands.",
        usage: "culvert login [<options>]",
        discussion: """
            The key is read from --api-key-file, from CULVERT_API_KEY, or typed; if it is the variable's, that is said. \
            It is tried before it is stored, in a file that only you can read. What --ca-file names is used with this edge from then on. \
            culvert logout removes the login in use, and with --edge <url> one that was replaced.

            Examples:
              culvert login --edge https://edge.example.com
              culvert login --edge https://edge.example.com --api-key-file key.txt
              culvert login --edge https://edge.example.com --ca-file ca.pem
            """
    )

    @Option(
        name: .customLong("api-key-file"),
        help: ArgumentHelp("A file with the API key, - for standard input (CULVERT_API_KEY).", valueName: "file"),
        completion: .file()
    )
    var apiKeyFile: String?

    /// The edge without its flag.
    @Argument(help: .hidden)
    var place: String?

    @OptionGroup var edgeOptions: EdgeOptions

    func validate() throws {
        if let place, let error = Self.misplaced(place) { throw ValidationError(error) }
        guard self.edgeOptions.edge == nil || self.place == nil else {
            throw ValidationError("The edge is named twice: by --edge, and without it.")
        }
    }

    /// What is said of a key or token in the place of the edge, before anything else.
    private static func misplaced(_ text: String) -> String? {
        do {
            _ = try EdgeAddress(parsing: text)
            return nil
        } catch {
            return error.isSecret ? error.description : nil
        }
    }

    func run() async throws {
        try await self.reportingFailures {
            let environment = ProgramEnvironment.variables
            guard let path = LoginFile.path(environment: environment) else {
                throw CommandFailure(.configuration, "HOME is not set, so that there is no place for the login file.")
            }
            // One that can't be read is replaced.
            let former = try? LoginFile.read(at: path)
            guard let edgeText = self.edgeOptions.edge ?? self.place ?? environment["CULVERT_EDGE"] ?? former?.edge
            else {
                throw CommandFailure(.usage, "Which edge? Give --edge URL.")
            }
            let edge = try EdgeAccess.address(edgeText)
            if self.apiKeyFile == nil, Self.hasKey(environment) {
                // Said before it is tried: who meant to type or pipe another key sees why that one is refused.
                StandardStream.error.writeLine(Self.noteOfVariable)
            }
            let credentials = try Credentials(apiKey: try self.apiKey(environment: environment))
            let access = EdgeAccess(edge: edge, credentials: credentials)
            var file = self.edgeOptions.certificateAuthorityFile.map {
                URL(fileURLWithPath: $0).standardizedFileURL.path
            }
            if former?.edge == edge.description { file = file ?? former?.certificateAuthorityFile }
            let tunnels = try await ControlCall(access: access, certificateAuthorityFile: file).perform {
                client async throws(EdgeFailure) in try await client.list()
            }
            let login = LoginFile(
                edge: edge.description,
                apiKey: credentials.apiKey,
                certificateAuthorityFile: file
            )
            let kept = try LoginFile.keep(former, replacedBy: login, at: path)
            try login.write(to: path)
            let count = tunnels.count == 1 ? "1 tunnel" : "\(tunnels.count) tunnels"
            StandardStream.output.writeLine("Logged in to \(edge), which has \(count) of this key.")
            if let kept { StandardStream.error.writeLine(ShownText.stripped("culvert: \(kept)")) }
            if let note = Self.outranked(by: environment, login) {
                StandardStream.error.writeLine(ShownText.stripped("culvert: \(note)"))
            }
        }
    }

    /// Whether the environment has a key, which is then neither asked for nor read from standard input.
    static func hasKey(_ environment: [String: String]) -> Bool { environment["CULVERT_API_KEY"]?.isEmpty == false }

    /// What is said when the key is the environment's.
    static let noteOfVariable =
        "culvert: The API key is that of CULVERT_API_KEY; to give another one, use --api-key-file, or unset the variable."

    /// What of an environment other commands take before what was stored; `nil` if there is nothing that differs.
    static func outranked(by environment: [String: String], _ login: LoginFile) -> String? {
        let stored = [("CULVERT_EDGE", login.edge), ("CULVERT_API_KEY", login.apiKey)]
        let names = stored.filter { name, value in
            environment[name].map { !$0.isEmpty && $0 != value } ?? false
        }.map(\.0)
        guard !names.isEmpty else { return nil }
        let verb = names.count == 1 ? "is" : "are"
        return "\(names.joined(separator: " and ")) \(verb) set in this shell, and other commands take that before "
            + "what was stored: unset \(names.joined(separator: " "))."
    }

    private func apiKey(environment: [String: String]) throws -> String {
        if let apiKeyFile { return try SecretFile.read(apiKeyFile, what: "an API key") }
        if let key = environment["CULVERT_API_KEY"], !key.isEmpty { return key }
        guard isatty(STDIN_FILENO) == 1 else { return try SecretFile.read("-", what: "an API key") }
        switch HiddenLine.ask("API key: ") {
        case .typed(let key): return key
        // The exit code that shells give a program that Ctrl-C ended.
        case .interrupted: throw ExitCode(128 + SIGINT)
        }
    }
}
