// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Inspection
import Program

extension RequestsCommand {
    /// `culvert requests replay ID`.
    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a request to the local server once more.",
            usage: "culvert requests replay <id> [<options>]",
            discussion: """
                The bytes are those that passed, but for the length of the body, which is made anew, Connection: close, and \
                Culvert-Replay, which names the original. Each answer is a line; the exit code is 69 if there was none.

                Examples:
                  culvert requests replay 019ad0c3f2a1b004
                  culvert requests replay 019ad0c3f2a1b004 --path '/hooks?try=2'
                  culvert requests replay 019ad0c3f2a1b004 --drop-header Cookie
                  culvert requests replay 019ad0c3f2a1b004 --body-file changed.json
                  culvert requests replay 019ad0c3f2a1b004 --times 10 --concurrency 5
                """
        )

        @Argument(help: "The request's id, as the list has it.")
        var id: String

        @Option(help: ArgumentHelp("Another method.", valueName: "method"))
        var method: String?

        @Option(help: ArgumentHelp("Another path, with its query.", valueName: "path"))
        var path: String?

        @Option(
            name: .customLong("header"),
            help: ArgumentHelp("A field to set; it takes the place of all of that name.", valueName: "name: value")
        )
        var headers: [String] = []

        @Option(
            name: .customLong("drop-header"),
            help: ArgumentHelp("A field to leave out.", valueName: "name")
        )
        var dropped: [String] = []

        @Option(help: ArgumentHelp("Another body.", valueName: "text"))
        var body: String?

        @Option(
            name: .customLong("body-file"),
            help: ArgumentHelp("A file with another body.", valueName: "file"),
            completion: .file()
        )
        var bodyFile: String?

        @Option(help: ArgumentHelp("How often, 1 to 100.", valueName: "n"))
        var times = 1

        @Option(help: ArgumentHelp("How many at a time, 1 to 10.", valueName: "n"))
        var concurrency = 1

        @Option(
            name: .customLong("to"),
            help: ArgumentHelp("Another tunnel, whose local server gets it.", valueName: "name")
        )
        var tunnel: String?

        @OptionGroup var inspectorOptions: InspectorOptions

        /// How long an answer is waited for, beyond what the inspector itself waits.
        private static let patience = Duration.seconds(35)

        func validate() throws {
            guard (1...100).contains(self.times) else { throw ValidationError("--times is a number from 1 to 100.") }
            guard (1...10).contains(self.concurrency) else {
                throw ValidationError("--concurrency is a number from 1 to 10.")
            }
            guard self.body == nil || self.bodyFile == nil else {
                throw ValidationError("--body and --body-file exclude each other.")
            }
            guard self.headers.allSatisfy({ $0.contains(":") }) else {
                throw ValidationError("--header is a name and a value, as in 'X-Test: 1'.")
            }
        }

        func run() async throws {
            try await self.reportingFailures {
                let client = try await self.inspectorOptions.client()
                let id = try RequestID.checked(self.id)
                var call = ReplayCall(id: id, tunnelName: self.tunnel)
                call.method = self.method
                call.path = self.path
                call.body = self.body
                if let bodyFile {
                    guard let data = FileManager.default.contents(atPath: bodyFile) else {
                        throw CommandFailure(
                            .configuration,
                            "The file \(bodyFile) can't be read: \(FileFault.words(bodyFile))."
                        )
                    }
                    call.bodyBase64 = data.base64EncodedString()
                }
                let original: ExchangeAnswer = try await client.get(
                    "/api/requests/http/\(id)",
                    query: [("fields", "detail")]
                )
                if !self.headers.isEmpty || !self.dropped.isEmpty { call.fields = self.fields(of: original) }
                self.warn(of: original)
                call.times = self.times
                call.concurrency = self.concurrency
                let answer: IDsAnswer = try await client.post("/api/requests/http", call)
                var isAnswered = true
                for id in answer.ids {
                    let summary = try await self.wait(for: id, client)
                    StandardStream.output.writeLine(RequestTable(columns: TerminalDevice().columns).line(summary))
                    if let error = summary.error {
                        StandardStream.error.writeLine("culvert: \(PeerText.printable(error))")
                    }
                    isAnswered = isAnswered && summary.status != nil
                }
                if !isAnswered { throw ExitCode(CommandStatus.unavailable.rawValue) }
            }
        }

        /// Says which fields are missing, because they were not kept.
        private func warn(of original: ExchangeAnswer) {
            let given = Set(self.headers.map { $0.prefix { $0 != ":" }.lowercased() })
            let missing = (original.request.droppedFields ?? []).filter { !given.contains($0.lowercased()) }
            guard !missing.isEmpty else { return }
            let names = PeerText.printable(missing.joined(separator: ", "))
            StandardStream.error.writeLine("culvert: sent without \(names), which was not kept; --header gives it anew")
        }

        private func fields(of original: ExchangeAnswer) -> [[String]] {
            let new = self.headers.map { header -> [String] in
                let colon = header.firstIndex(of: ":") ?? header.endIndex
                let value = header[colon...].dropFirst().trimmingCharacters(in: .whitespaces)
                return [String(header[..<colon]), value]
            }
            let replaced = Set((self.dropped + new.map { $0[0] }).map { $0.lowercased() })
            var fields = original.request.fields.filter { !replaced.contains($0[0].lowercased()) } + new
            // A body of one's own is not coded as the original was.
            if self.body != nil || self.bodyFile != nil,
                !new.contains(where: { $0[0].lowercased() == "content-encoding" })
            {
                fields.removeAll { $0[0].lowercased() == "content-encoding" }
            }
            if !replaced.contains(ReplayRequest.field.lowercased()) {
                fields.append([ReplayRequest.field, original.id])
            }
            return fields
        }

        private func wait(for id: String, _ client: InspectorClient) async throws -> ExchangeSummary {
            let end = ContinuousClock.now + Self.patience
            while true {
                let summary: ExchangeSummary = try await client.get(
                    "/api/requests/http/\(id)",
                    query: [("fields", "summary")]
                )
                if summary.state != "open" || ContinuousClock.now > end { return summary }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
