// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A local port behind a tunnel: an edge and a connector, both real processes.
final class TunnelFixture {
    let scratch: ScratchFolder
    let edge: EdgeProcess
    let connector: RunningProcess
    /// The tunnel's public URL by path, with a slash at the end: names below `localhost`, as the connector prints, are not
    /// known to every program.
    let url: String

    /// Starts both and waits until the connector has printed the URL and the edge knows it as online.
    ///
    /// - Parameters:
    ///   - originPort: The local port; nothing needs to listen there yet.
    ///   - edgeArguments: The edge's flags beside those that say where it listens.
    ///   - options: More options of `culvert http`.
    init(
        originPort: Int,
        edgeArguments: [String] = ["--dev"],
        options: [String] = [],
        in scratch: ScratchFolder
    ) async throws {
        let edge = try await EdgeProcess(in: scratch, arguments: edgeArguments)
        let connector = try RunningProcess(
            Programs.product("culvert"),
            ["http", "\(originPort)", "--edge", edge.url] + options,
            environment: ["CULVERT_API_KEY": edge.apiKey],
            in: scratch
        )
        let printed = try await connector.line(startingWith: "http")
        self.scratch = scratch
        self.edge = edge
        self.connector = connector
        self.url = "\(edge.url)/\(Self.id(inURL: printed))/"
    }

    /// The id of a tunnel whose URL a connector prints, by path or at a name below `localhost`.
    static func id(inURL url: String) -> String {
        let parts = url.split(separator: "/")
        guard url.contains(".localhost") else { return parts.last.map { String($0) } ?? "" }
        return parts.dropFirst().first?.split(separator: ".").first.map { String($0) } ?? ""
    }

    /// The tunnel's path at the edge, without a slash at the end.
    var path: String {
        "/" + self.url.split(separator: "/").dropFirst(2).joined(separator: "/")
    }

    /// The same tunnel's address of another scheme, such as `ws`.
    func url(scheme: String) -> String {
        scheme + self.url.dropFirst("http".count)
    }

    /// Waits until the tunnel carries a request to the origin.
    func waitUntilItAnswers(at path: String = "") async throws {
        do {
            try await eventually("an answer at \(self.url)\(path)") {
                try await Curl.get(self.url + path, in: self.scratch).status == 200 ? () : nil
            }
        } catch let failure as HarnessFailure {
            throw HarnessFailure("\(failure)\n\(self.edge.process.transcript)\n\(self.connector.transcript)")
        }
    }

    /// The most memory that each program ever had resident.
    func peakResidentKibibytes() throws -> (edge: Int, connector: Int) {
        (try self.edge.process.peakResidentKibibytes(), try self.connector.peakResidentKibibytes())
    }
}

/// The sample origin as the local server behind a tunnel.
final class SampleOrigin {
    let port: Int
    private let process: RunningProcess

    init(in scratch: ScratchFolder) async throws {
        self.port = try FreePort.next()
        self.process = try RunningProcess(
            Programs.python,
            [Programs.sampleOrigin, "--port", "\(self.port)"],
            in: scratch
        )
        _ = try await self.process.line(startingWith: "sample origin")
    }
}
