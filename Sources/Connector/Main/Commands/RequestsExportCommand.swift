// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Inspection
import Program

extension RequestsCommand {
    /// `culvert requests export`.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write requests and responses as an HTTP archive (HAR).",
            usage: "culvert requests export [<ids> ...] --har <file> [<options>]",
            discussion: """
                Secrets are left out unless --with-secrets is given: credentials, cookies, tokens in queries and forms.

                Examples:
                  culvert requests export --har all.har
                  culvert requests export --filter 'is:error' --har errors.har
                  culvert requests export 019ad0c3f2a1b004 --har - --with-secrets
                """
        )

        @Argument(help: "The ids of requests; without one, all that match the filter.")
        var ids: [String] = []

        @Option(help: ArgumentHelp("Only requests that match.", valueName: "words"))
        var filter: String?

        @Option(help: ArgumentHelp("The file to write, - for standard output.", valueName: "file"), completion: .file())
        var har: String

        @Flag(name: .customLong("with-secrets"), help: "Write secrets, too.")
        var withSecrets = false

        @OptionGroup var inspectorOptions: InspectorOptions

        func run() async throws {
            try await self.reportingFailures {
                let client = try await self.inspectorOptions.client()
                var query: [(String, String)] = []
                if !self.ids.isEmpty {
                    for id in self.ids { _ = try RequestID.checked(id) }
                    query.append(("ids", self.ids.joined(separator: ",")))
                }
                if let filter { query.append(("filter", filter)) }
                if self.withSecrets { query.append(("secrets", "keep")) }
                let data = try await client.bytes("/api/requests/har", query: query)
                guard self.har != "-" else { return StandardStream.output.write(data) }
                // What strangers sent is for the user alone to read.
                guard
                    FileManager.default.createFile(
                        atPath: self.har,
                        contents: data,
                        attributes: [.posixPermissions: 0o600]
                    )
                else { throw CommandFailure(.configuration, "The file \(self.har) can't be written.") }
            }
        }
    }

    /// `culvert requests import`.
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add the requests of an HTTP archive (HAR) to the list, to look at them and send them again.",
            discussion: """
                Archives of culvert and of browsers are read, up to 1 000 requests of each. Each line is an id.

                Examples:
                  culvert requests import yesterday.har
                """
        )

        @Argument(help: "The file, - for standard input.", completion: .file(extensions: ["har"]))
        var file: String

        @OptionGroup var inspectorOptions: InspectorOptions

        func run() async throws {
            try await self.reportingFailures {
                let client = try await self.inspectorOptions.client()
                let data =
                    self.file == "-"
                    ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: self.file)
                guard let data else {
                    throw CommandFailure(
                        .configuration,
                        "The file \(self.file) can't be read: \(FileFault.words(self.file))."
                    )
                }
                let answer: IDsAnswer = try await client.post("/api/requests/har", bytes: data)
                for id in answer.ids { StandardStream.output.writeLine(id) }
            }
        }
    }
}
