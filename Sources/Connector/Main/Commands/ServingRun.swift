// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Logging
import Program
import ServiceLifecycle

/// One run of a command that serves tunnels, from reading the certificates to the last byte after SIGTERM.
struct ServingRun: Sendable {
    /// Serves the tunnels.
    let server: TunnelServer
    /// Shows the run to a person, or logs it for a program.
    private let display: StatusDisplay
    private let companion: Companion?
    /// What a run is called that could have an inspector, and has none.
    private let nameWithoutInspector: String?

    /// Prepares a run.
    ///
    /// - Parameters:
    ///   - edgeOptions: How to reach edges.
    ///   - statusOptions: What to show.
    ///   - inspectOptions: What to keep of the traffic; `nil` for traffic that can't be looked at.
    ///   - inspectSettings: What a file of tunnels says about that.
    ///   - targets: The local servers that are exposed.
    ///   - connections: How many connections a tunnel will keep, at most.
    ///   - name: The tunnel's name, if a person gave one.
    ///   - companion: The program to start when the tunnel can be reached, if there is one.
    ///   - logger: For everything that happens.
    /// - Throws: ``CommandFailure`` if the certificates, or secrets for signatures, can't be used.
    init(
        edgeOptions: EdgeOptions,
        statusOptions: StatusOptions,
        inspectOptions: InspectOptions?,
        inspectSettings: InspectSettings = InspectSettings(),
        targets: [OriginTarget],
        connections: Int,
        name: String? = nil,
        companion: Companion? = nil,
        logger: Logger
    ) throws(CommandFailure) {
        self.companion = companion
        let secrets = try inspectOptions?.signingSecrets() ?? []
        self.display = StatusDisplay(
            options: statusOptions,
            format: edgeOptions.logFormat ?? .text,
            logger: logger,
            companion: companion,
            inspection: { isWatched in
                var settings = inspectOptions?.settings(isWatched: isWatched, file: inspectSettings, secrets: secrets)
                settings?.targets = targets
                return settings.map(TrafficInspection.init)
            }
        )
        // Of connections there is nothing to be looked at: such a run stands in no other one's way.
        let isBare = inspectOptions != nil && self.display.inspection == nil
        self.nameWithoutInspector = isBare ? name ?? targets.map(\.description).joined(separator: ", ") : nil
        self.server = try TunnelServer(
            authorities: edgeOptions.authorities(),
            retries: !edgeOptions.noRetry,
            connections: connections,
            // A program that waits for the tunnel is the local server, as a rule, and starts later.
            watchesOrigin: companion == nil,
            observer: self.display,
            logger: self.display.logger
        )
    }

    /// Prepares a tunnel, and serves it until the program is asked to stop or its terminal is closed.
    ///
    /// - Parameter prepare: Creates the tunnel, or reads its token.
    /// - Throws: ``CommandFailure`` when no further attempt can succeed.
    func run(_ prepare: @escaping TunnelServer.Preparation) async throws {
        self.display.willServe(tunnelCount: 1)
        try await self.run(TunnelRun(server: self.server, prepare: prepare) {}, hangUp: .leave)
    }

    /// Runs a service that serves tunnels until the program is asked to stop.
    ///
    /// - Parameters:
    ///   - service: What serves them.
    ///   - hangUp: What SIGHUP means.
    /// - Throws: What the service throws.
    func run(_ service: some Service, hangUp: RunUntilSignal.HangUp) async throws {
        BufferMemory.keep()
        let watch = Task { await self.server.watchNetwork() }
        defer { watch.cancel() }
        let settling = Task { await ProgramMemory.settle() }
        defer { settling.cancel() }
        let file = InspectorFile()
        if let nameWithoutInspector { file.writeNone(name: nameWithoutInspector) }
        let inspector = self.display.inspection.map { self.inspect($0, registering: file) }
        let trimming = self.display.inspection.map { inspection in Task { await QuietTrim.run(inspection.ring) } }
        let edgeAnswers = self.display.inspection.map { inspection in
            let watch = EdgeAnswerWatch(server: self.server) {
                inspection.directory.subjects
            } report: { [display] answers, id in
                display.edgeAnswered(answers, of: id)
            } warn: { [display] sentence, id in
                display.logger.warning("\(sentence)", metadata: ["tunnel": "\(id)"])
            }
            return Task { await watch.run() }
        }
        defer {
            edgeAnswers?.cancel()
            trimming?.cancel()
            inspector?.cancel()
            file.remove()
        }
        try await RunUntilSignal(hangUp: hangUp, display: self.display, companion: self.companion).run(service)
    }

    /// Serves the inspector's page and API beside the tunnels.
    private func inspect(_ inspection: TrafficInspection, registering file: InspectorFile) -> Task<Void, Never> {
        let display = self.display
        var server = InspectorServer(
            inspection: inspection,
            group: self.server.group,
            onOpen: { url in
                file.write(url: url, token: inspection.token)
                display.inspecting(at: url)
            },
            onFailure: { display.logger.warning("\($0)") }
        )
        server.inboxes = TunnelInboxes(server: self.server, directory: inspection.directory)
        return Task { [server] in await server.run() }
    }
}
