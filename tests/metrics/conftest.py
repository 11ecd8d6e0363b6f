def pytest_configure(config):
    config.addinivalue_line("markers", "weights: needs downloaded network weights")
