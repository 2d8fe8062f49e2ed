#include "probe/raw/reset_guard.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <nftables/libnftables.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "probe/raw/cookie.h"

namespace weir::probe::raw {

namespace {

bool has_net_admin() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  return ::syscall(SYS_capget, &header, sets.data()) == 0 && (sets[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN)) != 0;
}

}  // namespace

void ResetGuard::Free::operator()(nft_ctx* context) const { nft_ctx_free(context); }

std::expected<ResetGuard, std::string> ResetGuard::install() {
  // Without it libnftables says so on standard error, whatever it was told to keep to itself.
  if (!has_net_admin()) return std::unexpected("Operation not permitted");
  std::unique_ptr<nft_ctx, Free> context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return std::unexpected("libnftables cannot be used");
  nft_ctx_buffer_error(context.get());
  nft_ctx_buffer_output(context.get());
  const std::string rules = fmt::format(
      "table inet weir_probe_{} {{\n  flags owner\n  chain incoming {{\n    type filter hook prerouting priority -300; policy accept;\n"
      "    fib daddr type local tcp dport {}-{} drop\n  }}\n}}\n",
      ::getpid(), kFirstPort, kLastPort);
  if (nft_run_cmd_from_buffer(context.get(), rules.c_str()) != 0) {
    std::string why = nft_ctx_get_error_buffer(context.get());
    why.erase(std::min(why.find('\n'), why.size()));
    return std::unexpected(why.empty() ? "nftables refused the rule" : why);
  }
  return ResetGuard(std::move(context));
}

}  // namespace weir::probe::raw
