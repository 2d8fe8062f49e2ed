#include "cli/privileges.h"

#include <cap-ng.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

namespace weir::cli {
namespace {

constexpr const char* kUser = "weir";

/// Programs, other processes, mounts, kernel code, keys, clocks: nothing that capturing, matching, writing or answering has to do with.
constexpr auto kRefused = std::to_array<const char*>({
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "execve",
    "execveat",
    "finit_module",
    "fork",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mknod",
    "mknodat",
    "mount",
    "mount_setattr",
    "move_mount",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "userfaultfd",
    "vfork",
    "vhangup",
});

std::expected<void, report::Problem> filter_system_calls() {
  const std::unique_ptr<void, decltype(&::seccomp_release)> filter(::seccomp_init(SCMP_ACT_ALLOW), &::seccomp_release);
  if (!filter) return std::unexpected(report::system_problem("the filter of system calls", ENOMEM));
  for (const char* const name : kRefused) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) continue;  // of other machines only
    if (const int error = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0); error != 0)
      return std::unexpected(report::system_problem("the filter of system calls", -error));
  }
  if (const int error = ::seccomp_load(filter.get()); error != 0) return std::unexpected(report::system_problem("the filter of system calls", -error));
  return {};
}

}  // namespace

std::expected<std::string, report::Problem> drop_privileges(const PrivilegeSettings& settings) {
  const bool root = ::geteuid() == 0;
  const passwd* account = nullptr;
  if (root && settings.user != "root") {
    errno = 0;
    account = ::getpwnam(settings.user.empty() ? kUser : settings.user.c_str());
    if (account == nullptr && !settings.user.empty()) return std::unexpected(report::Problem{"sensor.user", "there is no user '" + settings.user + "'"});
  }
  const bool changes = account != nullptr && account->pw_uid != 0;
  std::string name = changes ? account->pw_name : "";

  const bool raw = ::capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW) != 0;
  const bool admin = settings.configures_links && ::capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN) != 0;
  // Who may not change the bounding set has no need to: nothing is executed any more.
  const bool bounding = ::capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  ::capng_clear(CAPNG_SELECT_BOTH);
  const auto kept = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
  if (raw) ::capng_update(CAPNG_ADD, kept, CAP_NET_RAW);
  if (admin) ::capng_update(CAPNG_ADD, kept, CAP_NET_ADMIN);
  errno = 0;
  if (changes) {
    const auto flags = static_cast<capng_flags_t>(CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (::capng_change_id(static_cast<int>(account->pw_uid), static_cast<int>(account->pw_gid), flags) != 0)
      return std::unexpected(report::system_problem("user " + name, errno != 0 ? errno : EPERM));
  } else if (::capng_apply(bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0) {
    return std::unexpected(report::system_problem("capabilities", errno != 0 ? errno : EPERM));
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return std::unexpected(report::system_problem("PR_SET_NO_NEW_PRIVS", errno));
  if (auto filtered = filter_system_calls(); !filtered) return std::unexpected(filtered.error());
  return name;
}

}  // namespace weir::cli
