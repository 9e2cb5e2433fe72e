// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Hummingbird
import HummingbirdCore
import Inspection
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Serves the inspector's page and API for the time of a run.
struct InspectorServer: Sendable {
    let inspection: TrafficInspection
    let group: any EventLoopGroup
    /// Called with the URL of the page when it can be opened.
    let onOpen: @Sendable (String) -> Void
    /// Called with a sentence if there is no inspector.
    let onFailure: @Sendable (String) -> Void
    /// How long a client may take for a head, be silent within a body, and keep a connection open without a call.
    var patience = TimeAmount.seconds(30)
    /// The inboxes of the tunnels; `nil` if no edge can be asked.
    var inboxes: TunnelInboxes?

    /// The most connections at a time: more of them wait, and take no descriptors from the tunnels.
    static let maximumConnections = 256

    /// Serves until the task is cancelled.
    func run() async {
        let settings = self.inspection.settings
        let candidates =
            settings.address.map { [$0] } ?? InspectorAddress.usualPorts.map { InspectorAddress(port: $0) }
        var failure: (any Error)?
        for address in candidates {
            // A tunnel must not lead to the inspector: a local server that is started later has the port.
            if self.inspection.settings.targets.contains(where: { address.isTarget($0) }) { continue }
            let isOpen = NIOLockedValueBox(false)
            do {
                try await self.application(at: address, isOpen: isOpen).run()
                return
            } catch {
                guard !isOpen.withLockedValue({ $0 }), !Task.isCancelled else { return }
                failure = error
            }
        }
        let place = settings.address.map { "\($0)" } ?? "the ports 4040 to 4049"
        // Without a failure each candidate is a tunnel's own local server.
        let reason = failure.map(ListenReason.words) ?? "a tunnel leads there"
        self.onFailure(
            "There is no inspector: \(place) can't be listened on: \(reason). Give --inspect another address."
        )
    }

    private func application(
        at address: InspectorAddress,
        isOpen: NIOLockedValueBox<Bool>
    ) -> some ApplicationProtocol {
        let router = Router(context: InspectorContext.self)
        router.add(
            middleware: InspectorGate(
                InspectorGuard(
                    allowedHosts: self.inspection.settings.allowedHosts
                        + (address.isLoopback ? [] : [address.host]),
                    token: self.inspection.token,
                    port: address.port
                )
            )
        )
        InspectorPage.add(to: router)
        let replays = Replays(ring: self.inspection.ring, directory: self.inspection.directory, group: self.group)
        InspectorRoutes(inspection: self.inspection, replays: replays).add(to: router)
        if let inboxes {
            InspectorInbox(inspection: self.inspection, replays: replays, inboxes: inboxes).add(to: router)
        }
        let query = self.inspection.token.map { "/?token=\($0)" } ?? ""
        return Application(
            router: router,
            server: .http1(configuration: HTTP1Channel.Configuration(idleTimeout: self.patience)),
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port),
                // The port of another inspector is not to be shared.
                reuseAddress: true,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    Self.maximumConnections,
                    logger: Self.noLogger
                )
            ),
            onServerRunning: { channel in
                isOpen.withLockedValue { $0 = true }
                var address = address
                address.port = channel.localAddress?.port ?? address.port
                self.onOpen("http://\(address)\(query)")
            },
            eventLoopGroupProvider: .shared(self.group),
            logger: Self.noLogger
        )
    }

    private static let noLogger = Logger(label: "culvert.inspector") { _ in SwiftLogNoOpLogHandler() }
}
