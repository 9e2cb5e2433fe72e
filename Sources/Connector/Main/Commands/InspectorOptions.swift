// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Program

/// The options of every command that asks an inspector.
struct InspectorOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the inspector is (CULVERT_INSPECT). By default the one of the program that was started last.",
            valueName: "address"
        )
    )
    var inspector: String?

    /// Finds the inspector.
    ///
    /// - Throws: ``CommandFailure`` if there is none.
    func client(environment: [String: String] = ProgramEnvironment.variables) async throws -> InspectorClient {
        let running = InspectorFile.all(environment: environment)
        if let text = self.inspector ?? environment["CULVERT_INSPECT"].flatMap({ $0.isEmpty ? nil : $0 }) {
            let (url, token) = try Self.parts(of: text)
            return InspectorClient(url: url, token: token ?? running.first { $0.url == url }?.token)
        }
        if let last = running.first {
            guard let url = last.url else { throw CommandFailure(.unavailable, Self.none(of: last, running)) }
            return InspectorClient(url: url, token: last.token)
        }
        // Whoever's it is: what answers there may be another person's, whose requests are nobody else's.
        for port in InspectorAddress.usualPorts where await InspectorClient(url: "http://127.0.0.1:\(port)").answers() {
            throw CommandFailure(.unavailable, Self.foreign(port, environment))
        }
        throw CommandFailure(.unavailable, Self.none(environment))
    }

    /// Says that the program that was started last has no inspector, and how to ask another one's.
    static func none(of last: InspectorFile.Content, _ running: [InspectorFile.Content]) -> String {
        let text =
            "The culvert that you started last\(last.name.map { " (\($0))" } ?? "") has no inspector: start it with "
            + "--inspect on."
        guard let other = running.lazy.compactMap(\.url).first else { return text }
        let address = other.replacing("http://127.0.0.1:", with: "")
        return "\(text) One that you started before has: --inspector \(address) asks it."
    }

    /// Says that an inspector answers of which nobody knows whose it is.
    static func foreign(_ port: Int, _ environment: [String: String]) -> String {
        let registered = InspectorFile.folder(environment).map { ": none is registered in \($0)" } ?? ""
        return
            "No inspector of yours is running\(registered). One answers at port \(port) of this machine, which may be "
            + "another person's: --inspector \(port) asks it. Start culvert at a terminal, or with --inspect on, to have "
            + "your own."
    }

    /// Says that there is no inspector, and where it was looked for.
    static func none(_ environment: [String: String]) -> String {
        let ports = InspectorAddress.usualPorts
        let usual = "the ports \(ports.lowerBound) to \(ports.upperBound)"
        let registered = InspectorFile.folder(environment).map { "none is registered in \($0), and " } ?? ""
        return "No inspector of yours is running: \(registered)none answers at \(usual) of this machine. "
            + "Start culvert at a terminal, or with --inspect on; an inspector elsewhere is named by "
            + "--inspector ADDRESS, or CULVERT_INSPECT."
    }

    /// The URL and the token of a link that culvert printed, or of an address.
    private static func parts(of text: String) throws(CommandFailure) -> (url: String, token: String?) {
        if let address = InspectorAddress(text) { return ("http://\(address)", nil) }
        guard let parts = URLComponents(string: text), parts.scheme == "http", let host = parts.host, !host.isEmpty
        else {
            throw CommandFailure(
                .usage,
                "“\(text)” is not the address of an inspector: give a port, host:port, or the link that culvert shows."
            )
        }
        let port = parts.port.map { ":\($0)" } ?? ""
        return ("http://\(host)\(port)", parts.queryItems?.first { $0.name == "token" }?.value)
    }
}
