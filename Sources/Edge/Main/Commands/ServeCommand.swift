// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EdgeControl
import InboxFile
import Logging
import Metrics
import NIOCore
import NIOPosix
import Program
import ServiceLifecycle
import UnixSignals

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `culvert-edge serve`, which is also what `culvert-edge` alone does.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve until SIGTERM or Ctrl-C.",
        discussion: ConfigurationLoading.help
    )

    @OptionGroup var loading: ConfigurationLoading

    func run() async throws {
        let outcome = try self.loading.load()
        let configuration = outcome.configuration
        // A peer that is gone is an error of its write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        NIOSingletons.groupLoopCountSuggestion =
            configuration.eventLoops > 0
            ? configuration.eventLoops : EventLoopCount.byDefault(processors: System.coreCount)
        do {
            try LogOutput.bootstrap(configuration)
            for warning in outcome.strayVariables { Logger(label: "culvert.edge").warning("\(warning)") }
            var credentials = outcome.credentials
            var greeting: @Sendable (EdgeAddresses) -> String? = { _ in nil }
            if configuration.isDevelopment {
                let development = DevelopmentCredentials(completing: credentials)
                credentials = development.set
                greeting = { development.greeting($0) }
            }
            let server = try await EdgeServer(
                configuration: configuration,
                credentials: credentials,
                group: MultiThreadedEventLoopGroup.singleton,
                started: { [greeting] addresses in
                    if let text = greeting(addresses) { QueuedLines.output.write(text) }
                },
                reload: { [loading, credentials] in
                    let outcome = try loading.read(isReload: true)
                    var set = outcome.credentials
                    // What was made up for a development run stays what it is.
                    if outcome.configuration.isDevelopment {
                        if set.apiKeys.isEmpty { set.apiKeys = credentials.apiKeys }
                        if set.signingKeys.isEmpty { set.signingKeys = credentials.signingKeys }
                    }
                    return (outcome.configuration, set)
                }
            )
            // What libraries record is shown beside it.
            MetricsSystem.bootstrap(server.metrics.registry)
            try await ServiceGroup(
                services: [server],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Logger(label: "culvert.lifecycle")
            )
            .run()
        } catch let failure as EdgeServer.ListenFailure {
            throw CommandFailure.exit(.unavailable, "\(failure)")
        } catch let failure as CredentialFiles.Failure {
            throw CommandFailure.exit(.configuration, "\(failure)")
        } catch let failure as InboxFileFailure {
            throw CommandFailure.exit(.configuration, "\(failure)")
        } catch let error as CredentialError {
            throw CommandFailure.exit(.configuration, "\(error)")
        }
    }
}
