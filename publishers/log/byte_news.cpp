#include "publishers/log/byte_news.h"

#include <algorithm>
#include <string>

namespace weir {

int ByteNews::watch(int file, Count& changes) {
  const std::lock_guard lock(mutex_);
  // Watch by descriptor: by now another file may have its name.
  const int watch = inotify_.watch("/proc/self/fd/" + std::to_string(file), IN_MODIFY);
  if (watch >= 0) counts_[watch].push_back(&changes);
  return watch;
}

void ByteNews::unwatch(int watch, Count& changes) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(watch);
  if (found == counts_.end()) return;
  auto& counts = found->second;
  const auto count = std::find(counts.begin(), counts.end(), &changes);
  if (count != counts.end()) counts.erase(count);
  if (!counts.empty()) return;
  counts_.erase(found);
  inotify_.unwatch(watch);
}

bool ByteNews::read() {
  const std::lock_guard lock(mutex_);
  bool is_any = false;
  inotify_.read([&](const inotify_event& event, const std::string&) {
    if (event.mask & IN_Q_OVERFLOW) {
      is_any = true;
      for (const auto& [watch, counts] : counts_) {
        for (Count* count : counts) ++*count;
      }
    }
    const auto found = event.mask & IN_MODIFY ? counts_.find(event.wd) : counts_.end();
    if (found == counts_.end()) return;
    is_any = true;
    for (Count* count : found->second) ++*count;
  });
  return is_any;
}

}  // namespace weir
