// SPDX-License-Identifier: Apache-2.0

/// Keeps limits together by buckets in the directory: twenty calls a second at most for a tunnel that has a limit and
/// visitors here, and none on the way of a request.
struct DirectoryRateSharer: RateSharer {
    /// The time between two calls for one tunnel.
    private static let pause = Duration.milliseconds(50)

    let directory: any TunnelDirectory
    let pods: PodTable

    func share(_ tunnel: Tunnel) {
        Task {
            while let (count, limit) = tunnel.takeSpentRequests() {
                do {
                    let left = try await self.directory.spend(count, from: "v:\(tunnel.id)", limit: limit)
                    tunnel.learnRequests(left: left)
                } catch {
                    tunnel.divideRequests(among: self.pods.count)
                }
                try? await Task.sleep(for: Self.pause)
            }
        }
    }

    /// As often at most as passwords are hashed here, and never for one that is right.
    func tellFailure(of tunnel: Tunnel, by caller: CallerAddress) {
        guard self.directory.isUp else { return }
        Task {
            let bucket = "pw:\(tunnel.id):\(caller)"
            // While it can't be told this edge's own count is all there is.
            guard let left = try? await self.directory.spend(1, from: bucket, limit: VisitorGate.failureLimit) else {
                return
            }
            tunnel.learnFailures(left: left, by: caller)
        }
    }
}
