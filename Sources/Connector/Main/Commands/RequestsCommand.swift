// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Inspection

/// `culvert requests …`: what passed a tunnel, from the inspector of a program that runs.
struct RequestsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests",
        abstract: "List, show and send again the requests that passed.",
        discussion: """
            Examples:
              culvert requests list --filter status:5xx
              culvert requests show 019ad0c3f2a1b004
              culvert requests replay 019ad0c3f2a1b004 --header X-Test:1
              culvert requests curl 019ad0c3f2a1b004
            """,
        subcommands: [List.self, Show.self, Replay.self, Curl.self, Export.self, Import.self, Clear.self]
    )

    /// `culvert requests list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List requests, the oldest first.",
            usage: "culvert requests list [<options>]",
            discussion: """
                They are those of one program, the one that was started last, or that --inspector names. \
                RESPONSE is the size of the response's body; culvert requests show tells the request's, too.

                Words of the filter, all of which have to match: method:POST status:5xx path:/hooks* tunnel:my-app type:json \
                header:x-github-event=push body:text size:>1MiB time:>500ms is:error from:192.0.2.7; - before a word turns \
                it round.

                Examples:
                  culvert requests list
                  culvert requests list --follow --filter 'is:error'
                  culvert requests list --json --limit 100
                """
        )

        @Option(help: ArgumentHelp("Only requests of this tunnel.", valueName: "name"))
        var tunnel: String?

        @Option(help: ArgumentHelp("Only requests that match.", valueName: "words"))
        var filter: String?

        @Option(help: ArgumentHelp("How many, 1 to 10000.", valueName: "n"))
        var limit = 20

        @Flag(help: "Go on with those that come.")
        var follow = false

        @Flag(help: "Show secrets.")
        var reveal = false

        @Flag(help: "Print a JSON object a line, one for each request, and no list around them.")
        var json = false

        @OptionGroup var inspectorOptions: InspectorOptions

        func run() async throws {
            try await self.reportingFailures {
                let client = try await self.inspectorOptions.client()
                var query = [("fields", "summary"), ("limit", "\(self.limit)")]
                if let tunnel { query.append(("tunnel_name", tunnel)) }
                if let filter { query.append(("filter", filter)) }
                var printed: Set<String> = []
                var table: RequestTable?
                while true {
                    let list: ListAnswer<ExchangeSummary> = try await client.get("/api/requests/http", query: query)
                    if table == nil, !self.json {
                        var new = try await self.table(for: list.requests, client)
                        new.reveals = self.reveal
                        StandardStream.error.write(Self.whose(new.tunnels, at: client.url) + "\n")
                        let isEmpty = list.requests.isEmpty && !self.follow
                        StandardStream.output.writeLine(isEmpty ? try await self.nothing(client) : new.heading)
                        table = new
                    }
                    // The window of somebody who follows may change its size.
                    table?.columns = TerminalDevice().columns
                    for summary in list.requests.reversed() where !printed.contains(summary.id) {
                        // Who follows sees each request once, when it is over.
                        if self.follow, summary.state == "open", summary.status == nil { continue }
                        printed.insert(summary.id)
                        StandardStream.output.writeLine(
                            try table?.line(summary) ?? JSONLine.of(self.reveal ? summary : summary.masked)
                        )
                    }
                    guard self.follow else { return }
                    // What is no longer in the list will not come again.
                    printed.formIntersection(list.requests.map(\.id))
                    query = query.map { $0.0 == "limit" ? ("limit", "1000") : $0 }
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
        }

        /// Whose requests are listed: another program's may be meant.
        static func whose(_ tunnels: Set<String>, at url: String) -> String {
            let whose =
                switch tunnels.count {
                case 0: ""
                case 1: tunnels.first.map { " of \(PeerText.printable($0))" } ?? ""
                default: " of \(tunnels.count) tunnels"
                }
            return "Requests\(whose), from the inspector at \(url):"
        }

        /// What is said of an empty list: the edge may have answered what never came here.
        private func nothing(_ client: InspectorClient) async throws -> String {
            let served: TunnelsAnswer = try await client.get("/api/tunnels")
            let answers = served.tunnels.filter { self.tunnel == nil || $0.name == self.tunnel }.map {
                EdgeAnswers($0.edgeAnswersByCode ?? ["": $0.edgeAnswers ?? 0])
            }
            let names = served.tunnels.map(\.name)
            if let tunnel, !names.contains(tunnel) { return Self.unserved(tunnel, beside: names) }
            return Self.nothing(answers.reduce(EdgeAnswers(), +), isFiltered: self.filter != nil)
        }

        /// The same, of a tunnel that the program does not serve.
        static func unserved(_ tunnel: String, beside names: [String]) -> String {
            let others = names.isEmpty ? "" : ", but \(names.map(PeerText.printable).joined(separator: ", "))"
            return "No requests: this program serves no tunnel \(PeerText.printable(tunnel))\(others)."
        }

        /// The same, of what the edge has answered itself.
        static func nothing(_ answers: EdgeAnswers, isFiltered: Bool) -> String {
            guard !isFiltered else { return "No requests that match." }
            guard answers.count > 0 else { return "No requests." }
            let words = answers.words.isEmpty ? "" : ": \(answers.words)"
            return "No requests came here; the edge itself answered \(answers.count) with an error\(words)."
        }

        /// The table, with a column of tunnels if there are several: those that are served, and those of the list.
        private func table(for requests: [ExchangeSummary], _ client: InspectorClient) async throws -> RequestTable {
            if let tunnel { return RequestTable(tunnels: [tunnel]) }
            let served: TunnelsAnswer = try await client.get("/api/tunnels")
            return RequestTable(tunnels: served.tunnels.map(\.name) + requests.map(\.tunnelName))
        }
    }

    /// `culvert requests show ID`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one request and its response.",
            usage: "culvert requests show <id> [<options>]",
            discussion: """
                Secrets are masked unless --reveal is given.

                Examples:
                  culvert requests show 019ad0c3f2a1b004
                  culvert requests show 019ad0c3f2a1b004 --body --response > answer.bin
                  culvert requests show 019ad0c3f2a1b004 --frames
                """
        )

        @Argument(help: "The request's id, as the list has it.")
        var id: String

        @Flag(help: "Print the content of the body alone, decoded if that can be done.")
        var body = false

        @Flag(help: "Print the head as it passed, and the content, undecoded.")
        var raw = false

        @Flag(help: "Print the messages of a WebSocket.")
        var frames = false

        @Flag(help: "With --body or --raw: those of the response.")
        var response = false

        @Flag(help: "Show secrets.")
        var reveal = false

        @Flag(help: "Print the JSON of the inspector: one object, or with --frames one a line.")
        var json = false

        @OptionGroup var inspectorOptions: InspectorOptions

        func run() async throws {
            try await self.reportingFailures {
                let client = try await self.inspectorOptions.client()
                let path = "/api/requests/http/" + (try RequestID.checked(self.id))
                let side = self.response ? "response" : "request"
                if self.body || self.raw {
                    let data: Data
                    if self.raw {
                        data = try await client.bytes("\(path)/\(side)/raw")
                    } else if let decoded = try? await client.bytes("\(path)/\(side)/body", query: [("decoded", "1")]) {
                        data = decoded
                    } else {
                        data = try await client.bytes("\(path)/\(side)/body", query: [("stored", "1")])
                    }
                    StandardStream.output.write(data)
                } else if self.frames {
                    let answer: FramesAnswer = try await client.get("\(path)/frames", query: [("limit", "2000")])
                    for frame in answer.frames {
                        StandardStream.output.writeLine(self.json ? try JSONLine.of(frame) : RequestText.line(frame))
                    }
                } else if self.json {
                    let data = try await client.bytes(path, query: [("fields", "detail")])
                    let text = String(decoding: data, as: UTF8.self)
                    StandardStream.output.writeLine(self.reveal ? text : try RequestText.maskedJSON(data))
                } else {
                    let answer: ExchangeAnswer = try await client.get(path, query: [("fields", "detail")])
                    var text = RequestText.head(of: answer, reveals: self.reveal)
                    for (side, message) in [("request", answer.request), ("response", answer.response)] {
                        guard let message else { continue }
                        let bytes =
                            message.body.kept == 0
                            ? nil : try? await client.bytes("\(path)/\(side)/body", query: [("decoded", "1")])
                        text += RequestText.message(message, body: bytes, reveals: self.reveal)
                    }
                    StandardStream.output.writeLine(text)
                }
            }
        }
    }

    /// `culvert requests curl ID`.
    struct Curl: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a command line of curl that sends the same request.",
            discussion: """
                Examples:
                  culvert requests curl 019ad0c3f2a1b004
                  culvert requests curl 019ad0c3f2a1b004 --reveal | sh
                """
        )

        @Argument(help: "The request's id, as the list has it.")
        var id: String

        @Flag(help: "Show secrets; without it the command does not send them.")
        var reveal = false

        @Flag(name: .customLong("public"), help: "To the tunnel's URL instead of the local server.")
        var isPublic = false

        @OptionGroup var inspectorOptions: InspectorOptions

        func run() async throws {
            try await self.reportingFailures {
                let client = try await self.inspectorOptions.client()
                var query: [(String, String)] = []
                if self.reveal { query.append(("secrets", "keep")) }
                if self.isPublic { query.append(("target", "public")) }
                let data = try await client.bytes(
                    "/api/requests/http/\(try RequestID.checked(self.id))/curl",
                    query: query
                )
                StandardStream.output.write(data)
            }
        }
    }

    /// `culvert requests clear`.
    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget all requests.",
            discussion: """
                Examples:
                  culvert requests clear
                """
        )

        @OptionGroup var inspectorOptions: InspectorOptions

        func run() async throws {
            try await self.reportingFailures {
                try await self.inspectorOptions.client().delete("/api/requests/http")
            }
        }
    }
}

/// The id of a request on the command line.
enum RequestID {
    /// Refuses what is no id, since it becomes a part of a path.
    static func checked(_ text: String) throws(CommandFailure) -> String {
        guard CaptureID(text) != nil else {
            throw CommandFailure(
                .usage,
                "“\(text)” is not the id of a request: sixteen hexadecimal digits, as the list has them."
            )
        }
        return text
    }
}
