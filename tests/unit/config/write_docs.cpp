// Writes the pages that are made from tables: write_docs DIRECTORY.
#include <cstdio>
#include <fstream>
#include <string>

#include "broker/base/metrics.h"
#include "broker/config.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_docs DIRECTORY\n", stderr);
    return 2;
  }
  const std::string directory = argv[1];
  std::ofstream settings(directory + "/settings.md");
  settings << weir::settings_markdown() << std::flush;
  std::ofstream metrics(directory + "/metrics.md");
  metrics << weir::metrics_markdown() << std::flush;
  if (settings && metrics) return 0;
  std::fprintf(stderr, "%s: can't write the pages\n", directory.c_str());
  return 1;
}
