"""How measuring goes: from settings to a file of results.

``measure``     measuring from Python, on one device
``session``     every model with all settings on one device
``procedure``   what surrounds the tool's runs: pauses, choice of cores, profile, time limit
``accuracy``    top-1 accuracy on the device
``job``         one measurement: repetitions with pauses and samples in between
``throttling``  when a measurement counts as throttled
``outcome``     what a tool's exit code means
``store``       the file that takes every measurement as it comes
"""
