// Which path goes on with which file of an earlier run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "publishers/log/file_position.h"
#include "publishers/log/state_file.h"

namespace weir {

struct Resume {
  // Where to go on, oldest file first; empty if nothing is known.
  std::vector<FilePosition> positions;
  // The file at the path is a rotated one of another path, which reads its rest: nobody follows this path.
  bool is_elsewhere = false;
};

// Returns what to do with each of `paths`, which were not followed until now. While nobody looked, rotation may
// have given the files other names: app.log is app.log.1 now, and app.log.1 is app.log.2. A file is left to the
// path under which it is known if that is followed and finds the file beside it. Else the path that it has now takes
// its position over, so that no file of the earlier run is left without a reader.
//
// `is_followed` says so of paths that are followed already. Those for which `is_named` is true have their own
// positions and no others.
std::vector<Resume> plan_resume(StateFile& state, const std::vector<std::string>& paths,
                                const std::function<bool(const std::string&)>& is_followed,
                                const std::function<bool(const std::string&)>& is_named);

}  // namespace weir
