sh -c "nohup true &"
