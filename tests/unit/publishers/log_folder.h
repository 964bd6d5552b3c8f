// A folder of a test's own with a log in it, and the verbs of those who write and rotate logs.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace weir {

class LogFolder {
 public:
  LogFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "weir-log-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "can't make a folder";
    folder_ = name;
  }
  ~LogFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  LogFolder(const LogFolder&) = delete;
  LogFolder& operator=(const LogFolder&) = delete;

  std::filesystem::path path(const std::string& name = "log") const { return folder_ / name; }
  void append(const std::string& text, const std::string& name = "log") const {
    std::ofstream file(path(name), std::ios::app | std::ios::binary);
    file << text;
  }
  void rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(path(from), path(to));
  }
  void truncate(const std::string& name = "log") const { std::filesystem::resize_file(path(name), 0); }
  void remove(const std::string& name = "log") const { std::filesystem::remove(path(name)); }
  // Lets every user in.
  void let_others_in() const { std::filesystem::permissions(folder_, std::filesystem::perms::all); }

 private:
  std::filesystem::path folder_;
};

}  // namespace weir
