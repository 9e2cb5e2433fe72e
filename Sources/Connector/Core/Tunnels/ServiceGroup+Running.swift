// SPDX-License-Identifier: Apache-2.0

import Logging
import ServiceLifecycle

extension ServiceGroup {
    /// Makes a group of one service, which is over when the service is, and says nothing itself.
    package init(running service: some Service) {
        self.init(
            configuration: .init(
                services: [
                    .init(
                        service: service,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    )
                ],
                logger: Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }
            )
        )
    }
}
